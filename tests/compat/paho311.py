# SPDX-License-Identifier: Apache-2.0
"""python3 paho311.py CHECKOUT ADDRESS [PORT]: the Paho interoperability suite against a broker.

client_test.py takes --hostname and --port but then lets unittest read the same command line, which
knows neither; here unittest gets none."""

import os
import runpy
import sys
import unittest

checkout, address, port = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "1883"
os.chdir(os.path.join(checkout, "interoperability"))
sys.path.insert(0, os.getcwd())
sys.dont_write_bytecode = True
sys.argv = ["client_test.py", "--hostname", address, "--port", port]
main = unittest.main
unittest.main = lambda: main(argv=["client_test.py", "-v"])
runpy.run_path("client_test.py", run_name="__main__")
