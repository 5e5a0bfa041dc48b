"""The programs that ship with the server: text for the catalog, never imported by the gateway."""
