/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "bench/micro/bench.h"

uint64_t bench_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv) {
    bench_siphash();
    bench_slab();
    bench_message();
    bench_mailbox();
    bench_codec();
    bench_publish();
    /* By size, because the connections of one size are built once. */
    static const int64_t connections[] = {1000, 1000000, 10000000};
    for (unsigned i = 0; i < sizeof connections / sizeof connections[0]; i++) {
        bench_flow(connections[i]);
        bench_wheel(connections[i]);
    }
    bench_topics();
    bench_routes(1000000);
    bench_routes(10000000);
    return bench_main(argc, argv);
}
