/* SPDX-License-Identifier: Apache-2.0 */
/* ctl: administration of a running broker from the command line. */
#include "tools/ctl/ctl.h"

int main(int argc, char **argv) {
    int code = ctl_line((const char *const *)(argv + 1), argc > 1 ? (unsigned)argc - 1 : 0, true);
    /* What was asked for has not been given when it could not be written. */
    bool written = fflush(stdout) == 0;
    if (written && ferror(stdout) == 0)
        return code;
    fputs("ctl: standard output could not be written\n", stderr);
    return code == PROTOCOL_OK ? PROTOCOL_FAILED : code;
}
