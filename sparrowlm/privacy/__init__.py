"""What must not leave: personal data found, masked and put back."""

from sparrowlm.privacy.finding import NamesIn, find_personal
from sparrowlm.privacy.kinds import KINDS, Item, Kind, label
from sparrowlm.privacy.names import names_by
from sparrowlm.privacy.redacting import Mode, Redaction, Redactor
from sparrowlm.privacy.vault import StreamRestorer, Vault

__all__ = [
    "KINDS",
    "Item",
    "Kind",
    "Mode",
    "NamesIn",
    "Redaction",
    "Redactor",
    "StreamRestorer",
    "Vault",
    "find_personal",
    "label",
    "names_by",
]
