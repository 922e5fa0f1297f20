"""A REST server with Qdrant's own API over the in-process engine Qdrant Edge.

Belongs here: the protocol of the server and the few things the engine lacks (collections, aliases,
groups). Not here: anything the engine does itself, and anything that production code imports.

Search is exact: no approximate index is ever built, because the engine holds the interpreter while
it builds one. Ten thousand vectors of 768 numbers answer in about 4 ms, fifty thousand in 25 ms.
Tuning options of a collection are kept and reported, and change nothing.
"""
