"""The HTTPS relay: mailboxes and blobs of federations whose content it cannot read. See ``PROTOCOL.md``."""
