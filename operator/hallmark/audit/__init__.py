"""The audit log: each decision is one record, chained by hashes, with a signed head."""

from hallmark.audit.log import AuditLog
from hallmark.audit.record import AuditRecord, Record

__all__ = ["AuditLog", "AuditRecord", "Record"]
