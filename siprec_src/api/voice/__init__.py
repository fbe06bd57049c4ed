"""Voice URLs: an application is asked where a call that has just arrived goes, and what is to be recorded."""
