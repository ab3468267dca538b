"""The studio: a page in the browser in which edits are chosen by looking, over one :class:`videdit.Session`."""
