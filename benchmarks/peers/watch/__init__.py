"""The peers: a file each, with `TITLE`, `REQUIRES`, `FRAMEWORKS`, how it is begun, put around an app, and flushed.

`environment(port, core_port, folder)` is what its process is started with; `sends` whether its data comes to the
collector; where it does not, `kept()` counts in the process what was recorded.
"""
