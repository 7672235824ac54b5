/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/mman.h>

#include "dataplane/message/region.h"
#include "tests/unit/message/memory.h"

static const size_t huge = (size_t)2 << 20;

static size_t resident(const struct region *region) {
    size_t pages = region->size / 4096, count = 0;
    unsigned char *map = malloc(pages);
    assert_int_equal(mincore(region->base, region->size, map), 0);
    for (size_t i = 0; i < pages; i++)
        count += map[i] & 1;
    free(map);
    return count * 4096;
}

static void a_region_is_aligned_and_costs_nothing_before_it_is_touched(void **state) {
    struct region region;
    assert_true(region_reserve(&region, ((size_t)64 << 20) + 1, 0));
    assert_int_equal((uintptr_t)region.base & (huge - 1), 0);
    assert_int_equal(region.size, 66u << 20);
    assert_int_equal(resident(&region), 0);
    ((uint8_t *)region.base)[region.size - 1] = 1;
    assert_int_equal(((uint8_t *)region.base)[0], 0);
    region_release(&region);
    assert_null(region.base);
    region_release(&region);
}

static void a_region_may_be_backed_in_advance(void **state) {
    struct region region;
    assert_true(region_reserve(&region, 16u << 20, 6u << 20));
    assert_true(resident(&region) >= 6u << 20);
    assert_true(resident(&region) < 16u << 20);
    region_release(&region);
}

static unsigned slices_wanted;

static bool slice_wanted(void) {
    return slices_wanted > 0 && slices_wanted-- > 0;
}

static void backing_ends_when_it_is_no_longer_wanted(void **state) {
    struct region region;
    const size_t slice = (size_t)64 << 20;
    assert_true(region_reserve(&region, 4 * slice, 0));
    slices_wanted = 1;
    assert_false(region_back(&region, 4 * slice, slice_wanted));
    assert_int_equal(errno, EINTR);
    assert_true(resident(&region) >= slice);
    assert_true(resident(&region) < 2 * slice);
    slices_wanted = 3;
    assert_true(region_back(&region, 2 * slice + 1, slice_wanted));
    assert_true(resident(&region) > 2 * slice);
    assert_int_equal(slices_wanted, 0);
    region_release(&region);
}

static void a_range_that_cannot_be_had_is_refused(void **state) {
    struct region region;
    errno = 0;
    assert_false(region_reserve(&region, (size_t)1 << 48, 0));
    assert_int_equal(errno, ENOMEM);
}

static void an_arena_runs_on_a_region_larger_than_memory(void **state) {
    struct region region;
    size_t size = (size_t)8 << 30;
    assert_true(region_reserve(&region, size, 0));
    void *books = calloc(1, arena_footprint(size));
    struct arena *arena = arena_init(books, region.base, size, size);
    static struct pool pool;
    pool_init(&pool, arena);
    uint8_t *object = pool_alloc(&pool, 1000);
    assert_non_null(object);
    memset(object, 1, 1000);
    uint8_t *large = pool_alloc(&pool, (size_t)1 << 31);
    assert_non_null(large);
    large[((size_t)1 << 31) - 1] = 1;
    assert_ptr_equal(arena_at(pool.base, arena_ref(pool.base, large)), large);
    assert_true(resident(&region) <= 3 * huge);
    pool_free(&pool, large, (size_t)1 << 31);
    pool_free(&pool, object, 1000);
    region_release(&region);
    free(books);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_region_is_aligned_and_costs_nothing_before_it_is_touched),
        cmocka_unit_test(a_region_may_be_backed_in_advance),
        cmocka_unit_test(backing_ends_when_it_is_no_longer_wanted),
        cmocka_unit_test(a_range_that_cannot_be_had_is_refused),
        cmocka_unit_test(an_arena_runs_on_a_region_larger_than_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
