"""The words that mailgate sends by itself, in four languages, and dates as their readers write them.

The catalogues lie beside this file, one per language, as translators edit them (``locale/LL.po``); they are compiled
when first asked for. The keys are the English sentences. A sentence that a catalogue lacks would appear in English: a
test keeps the catalogues whole.
"""

from mailgate.texts.dates import long_date
from mailgate.texts.reminder import TaskFacts, reminder

__all__ = ["TaskFacts", "long_date", "reminder"]
