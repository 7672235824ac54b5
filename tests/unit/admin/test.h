/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEMQ_TESTS_ADMIN_TEST_H
#define LINEMQ_TESTS_ADMIN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_contains(text, part) assert_non_null(strstr((text), (part)))

#endif
