# SPDX-License-Identifier: Apache-2.0
"""What the parts of this ring share."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
GAE_RUN = os.environ.get("GAE_RUN", os.path.join(BUILD, "gae-run"))
# Debian's, whose tests are installed beside it.
PYTHON = "/usr/bin/python3"

# All that rules can open.
POLICY = """gae-policy 1
allow tcp,udp to any
listen  allow
bind    any
unix    allow {place}/* /tmp/* @*
netlink route-read
sockopt any any pass
"""
