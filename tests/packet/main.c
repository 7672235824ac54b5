/* SPDX-License-Identifier: Apache-2.0 */
/* packet [-v] SCRIPT...: 0 when every script holds; -v prints what went over the wire. */
#include <stdio.h>
#include <string.h>

#include "tests/packet/run.h"

int main(int argc, char **argv) {
    bool tell = argc > 1 && strcmp(argv[1], "-v") == 0;
    unsigned failed = 0;
    for (int i = 1 + tell; i < argc; i++) {
        struct script script;
        bool good = script_read(&script, argv[i]) && script_run(&script, tell);
        script_free(&script);
        failed += !good;
        printf("%s %s\n", good ? "ok" : "not ok", argv[i]);
    }
    return failed || argc < 2 + tell;
}
