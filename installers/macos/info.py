"""What macOS is told of the program: its Info.plist and the agent's launchd job."""

from __future__ import annotations

import plistlib
from typing import Any

IDENTIFIER = "org.consilium.Consilium"
PACKAGE_TYPE = "org.consilium.package"
OLDEST = "14.0"


def info(version: str) -> dict[str, Any]:
    """Return the bundle's Info.plist."""
    return {
        "CFBundleIdentifier": IDENTIFIER,
        "CFBundleName": "Consilium",
        "CFBundleDisplayName": "Consilium",
        "CFBundleExecutable": "consilium",
        "CFBundlePackageType": "APPL",
        "CFBundleShortVersionString": version,
        "CFBundleVersion": version,
        "CFBundleDevelopmentRegion": "en",
        "CFBundleLocalizations": ["en", "fr", "de"],
        "LSMinimumSystemVersion": OLDEST,
        "LSApplicationCategoryType": "public.app-category.medical",
        "NSHighResolutionCapable": True,
        "NSHumanReadableCopyright": "Apache-2.0",
        # nothing but a relay is ever reached: no microphone, camera, location or contacts, so no words for asking
        "CFBundleDocumentTypes": [
            {
                "CFBundleTypeName": "Consilium dataset package",
                "CFBundleTypeRole": "Viewer",
                "LSHandlerRank": "Owner",
                "LSItemContentTypes": [PACKAGE_TYPE],
            }
        ],
        "UTExportedTypeDeclarations": [
            {
                "UTTypeIdentifier": PACKAGE_TYPE,
                "UTTypeDescription": "Consilium dataset package",
                "UTTypeConformsTo": ["public.data"],
                "UTTypeTagSpecification": {
                    "public.filename-extension": ["consilium"],
                    "public.mime-type": ["application/vnd.consilium.package"],
                },
            }
        ],
    }


def entitlements() -> dict[str, bool]:
    """Return what the hardened runtime must allow: nothing but what is listed.

    libffi, through which Python calls what a library calls back, writes code into memory at run time. Libraries are all
    signed by the same team as the program, so library validation stays on.
    """
    return {"com.apple.security.cs.allow-unsigned-executable-memory": True}


def agent() -> dict[str, Any]:
    """Return the launchd job of the agent: it starts when its person logs in, whose keychain is open then."""
    return {
        "Label": f"{IDENTIFIER}.agent",
        "ProgramArguments": ["/Applications/Consilium.app/Contents/MacOS/consilium", "agent", "--stay"],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ProcessType": "Background",
        "Umask": 0o077,
    }


def written(plain: dict[str, Any]) -> bytes:
    """Return a property list's bytes; the same for the same contents."""
    return plistlib.dumps(plain, sort_keys=True)
