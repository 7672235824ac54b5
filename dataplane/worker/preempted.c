/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/worker/preempted.h"

#include <sys/rseq.h>

/* The kernel looks whether the thread is inside the sequence, which is a byte of data here, and
 * whether the place to go on at stands behind the signature; it never goes there. */
static const struct { uint32_t signature, place; } elsewhere = {.signature = RSEQ_SIG};

static const struct rseq_cs nowhere = {.start_ip = (uintptr_t)&elsewhere.signature,
                                       .post_commit_offset = 1,
                                       .abort_ip = (uintptr_t)&elsewhere.place};

/* GCC and newer versions of clang have a builtin for it. */
static char *thread_pointer(void) {
#ifdef __x86_64__
    char *pointer;
    __asm__("mov %%fs:0, %0" : "=r"(pointer));
    return pointer;
#else
    return __builtin_thread_pointer();
#endif
}

void preempted_init(struct preempted *preempted) {
    *preempted = (struct preempted){.nowhere = (uintptr_t)&nowhere};
    if (__rseq_size == 0) /* not registered */
        return;
    const char *area = thread_pointer() + __rseq_offset;
    preempted->announced = (volatile uint64_t *)(uintptr_t)(area + offsetof(struct rseq, rseq_cs));
}
