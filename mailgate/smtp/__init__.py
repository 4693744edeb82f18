"""The listeners: SMTP and LMTP over TCP and unix sockets, on asyncio alone.

``listeners`` opens the sockets, ``server`` takes connections from them, ``session`` is the protocol object of one of
them and ``dialogue`` what is said in it (``strangers``: to those who are no relay). ``wire`` reads and writes under
deadlines (``patience``), ``core`` runs what may block, ``arguments`` and ``datareader`` understand what came,
``receiving`` brings a mail to the intake, ``replies`` says what became of it. ``shared`` is what all sessions have in
common; ``limits`` and ``tls`` are what their names say.
"""
