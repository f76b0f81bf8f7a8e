"""A broad look at good and bad properties: conversations by script, offline, or led by Petri's auditor."""
