"""The page for the hospital's IT department: what a relay is, and what it needs."""

from __future__ import annotations

from PySide6.QtGui import QTextDocument

from app import __version__
from app.texts import text
from app.ui.views.federation.printing import document


def it_page() -> QTextDocument:
    """Return the page, to be printed or saved."""
    return document(
        text("ui.federation.it_title"),
        [text("ui.federation.it_what"), text("ui.federation.it_sees")],
        facts=[
            (text("ui.federation.it_machine"), text("ui.federation.it_machine_words")),
            (text("ui.federation.it_disk"), text("ui.federation.it_disk_words")),
            (text("ui.federation.it_network"), text("ui.federation.it_network_words")),
            (text("ui.federation.it_certificate"), text("ui.federation.it_certificate_words")),
            (text("ui.federation.it_clock"), text("ui.federation.it_clock_words")),
            (text("ui.federation.it_backup"), text("ui.federation.it_backup_words")),
        ],
        warning=text("ui.federation.it_steps"),
        steps=[
            text("ui.federation.it_install", version=__version__),
            text("ui.federation.it_serve", command="\nconsilium relay serve --data /srv/consilium-relay --host 0.0.0.0 "
                 "--port 8443 --tls-cert relay.pem --tls-key relay.key --name relay.hospital.example"),
            text("ui.federation.it_check", command="\nconsilium relay check https://relay.hospital.example:8443"),
            text("ui.federation.it_code", command="\nconsilium relay code new --data /srv/consilium-relay"),
            text("ui.federation.it_send"),
        ],
    )  # fmt: skip
