"""How `asr-qat prepare` grows with workers, and what an object store costs."""
