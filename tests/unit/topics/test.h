/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka and what it needs before it. */
#ifndef LINEMQ_TESTS_TOPICS_TEST_H
#define LINEMQ_TESTS_TOPICS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#endif
