/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells AddressSanitizer what is handed out and what is not, so that a use after release or past
 * the end inside an arena is found like one on the heap. Nothing in ordinary builds.
 */
#ifndef LINEMQ_MESSAGE_POISON_H
#define LINEMQ_MESSAGE_POISON_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LINEMQ_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define LINEMQ_ASAN 1
#endif

#ifdef LINEMQ_ASAN

#include <sanitizer/asan_interface.h>

static inline void poison(const void *memory, size_t size) {
    __asan_poison_memory_region(memory, size);
}

static inline void unpoison(const void *memory, size_t size) {
    __asan_unpoison_memory_region(memory, size);
}

#else

static inline void poison(const void *memory, size_t size) {
}

static inline void unpoison(const void *memory, size_t size) {
}

#endif

#endif
