"""The listeners: SMTP and LMTP over TCP and unix sockets, on one subclass of aiosmtpd.

``listeners`` opens the sockets, ``server`` takes connections from them, ``session`` speaks with one client, ``wire``
reads and writes under deadlines, ``arguments`` and ``datareader`` read what came, ``receiving`` brings a mail to the
intake, ``replies`` says what became of it, ``limits`` and ``tls`` are what their names say.
"""
