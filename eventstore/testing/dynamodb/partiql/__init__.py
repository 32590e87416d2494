"""The part of PartiQL that BatchExecuteStatement takes: statements as text, and the writes they stand for."""
