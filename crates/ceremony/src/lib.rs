//! Key ceremonies: plan, sign, combine, verify. Offline.
