"""A stack of recurrent layers as every front end runs it: what it is, a call's arguments, and its passes."""
