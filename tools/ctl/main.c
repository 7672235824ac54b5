/* SPDX-License-Identifier: Apache-2.0 */
/* ctl: administration of a running broker from the command line. */
#include <unistd.h>

#include "tools/ctl/ctl.h"

int main(int argc, char **argv) {
    if (argc > 1)
        return ctl_line((const char *const *)(argv + 1), (unsigned)argc - 1);
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        return ctl_interactive();
    help_overview(stderr);
    return PROTOCOL_USAGE;
}
