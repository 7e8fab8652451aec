"""What `zoom-gateway check` asks, one file per thing that can be wrong.

A check is an async generator of findings; `examination` says which there are and what must come
before what, `running` runs them side by side against one deadline.
"""
