/* Grants and safe copies. The granter is a puppet; table and granted memory are in the shared page
 * or its stack. */
#include "osd/suites/kcall/kcall.h"
#include "osd/abi/grant.h"

static struct puppet granter, user;

#define TABLE ((struct grant *)SHARED_SCRATCH)
/* Own pages of each puppet, filled by demand: not seen by others. */
#define OWN DEMAND_VA

static err_t bytes_write(uint64_t seed)
{
	for (uint64_t i = 0; i < 3 * PAGE_SIZE; i++) {
		((volatile uint8_t *)OWN)[i] = (uint8_t)(seed + i * 7);
	}
	return E_OK;
}

/* 0, or the place of the first wrong byte. argument: seed | first << 8 | bytes << 32. */
static err_t bytes_check(uint64_t argument)
{
	uint64_t seed = argument & 0xff, first = argument >> 8 & 0xffffff, n = argument >> 32;

	for (uint64_t i = first; i < first + n; i++) {
		if (((volatile uint8_t *)OWN)[i] != (uint8_t)(seed + i * 7)) {
			return (err_t)i + 1;
		}
	}
	return E_OK;
}

static void grants_new(void)
{
	puppet_new(&granter, 0, "granter", 0);
	puppet_new(&user, 1, "user", 0);
	for (int i = 0; i < 4; i++) {
		TABLE[i] = (struct grant){0};
	}
	TABLE[1] = (struct grant){
	        (void *)OWN, 3 * PAGE_SIZE, user.child.ep, GRANT_READ | GRANT_WRITE, 5};
	TABLE[2] = (struct grant){(void *)OWN, 100, user.child.ep, GRANT_READ, 0};
	TABLE[3] = (struct grant){(void *)OWN, 100, user.child.ep, GRANT_WRITE, 0};
	IS(E_OK, puppet_call(&granter, KCALL_grant_table_set, (uint64_t)TABLE, 4));
}

static void grants_free(void)
{
	puppet_free(&granter);
	puppet_free(&user);
}

static err_t copy_from(uint32_t id, uint64_t offset, uint64_t local, uint64_t n)
{
	return puppet_call(&user, KCALL_copy_from_grant, granter.child.ep, id, offset, local, n);
}

static err_t copy_to(uint32_t id, uint64_t offset, uint64_t local, uint64_t n)
{
	return puppet_call(&user, KCALL_copy_to_grant, granter.child.ep, id, offset, local, n);
}

static void test_table_set(void)
{
	IS(E_INVAL, sys_grant_table_set(TABLE, 0x10001));
	IS(E_FAULT, sys_grant_table_set((const struct grant *)NOWHERE, 1));
	IS(E_FAULT, sys_grant_table_set((const struct grant *)KERNEL_VA, 1));
	IS(E_FAULT, sys_grant_table_set(TABLE, 0x8000)); /* its end is not mapped */
	IS(E_OK, sys_grant_table_set(NULL, 0));
}

/* Across pages, both pages of both sides absent at first: VM is asked for each. */
static void test_copy(void)
{
	uint64_t whole = 3 * PAGE_SIZE;

	grants_new();
	IS(E_OK, puppet_call(&granter, PUPPET_CALL, (uint64_t)bytes_write, 3));
	IS(E_OK, copy_from(GRANT_ID(1, 5), 0, OWN, whole));
	IS(E_OK, puppet_call(&user, PUPPET_CALL, (uint64_t)bytes_check, 3 | whole << 32));
	IS(E_OK, puppet_call(&user, PUPPET_CALL, (uint64_t)bytes_write, 9));
	IS(E_OK, copy_to(GRANT_ID(1, 5), 4090, OWN + 4090, 4100));
	IS(E_OK, puppet_call(&granter, PUPPET_CALL, (uint64_t)bytes_check,
	                 9 | 4090 << 8 | 4100ul << 32));
	IS(E_OK, puppet_call(&granter, PUPPET_CALL, (uint64_t)bytes_check, 3 | 4090ul << 32));
	IS(E_OK, copy_to(GRANT_ID(1, 5), whole, OWN, 0));
	grants_free();
}

static void test_copy_absent(void)
{
	grants_new();
	IS(E_OK, puppet_call(&user, PUPPET_CALL, (uint64_t)bytes_write, 3));
	IS(E_OK, copy_to(GRANT_ID(1, 5), 0, OWN, 3 * PAGE_SIZE));
	IS(E_OK,
	        puppet_call(&granter, PUPPET_CALL, (uint64_t)bytes_check, 3 | 3 * PAGE_SIZE << 32));
	grants_free();
}

/* What the grant does not cover; the granted id in each case but for one thing. */
static void test_grant_errors(void)
{
	struct puppet other;

	grants_new();
	IS(E_GRANT, copy_from(GRANT_ID(0, 0), 0, OWN, 1)); /* free entry */
	IS(E_GRANT, copy_from(GRANT_ID(4, 0), 0, OWN, 1)); /* behind the table */
	IS(E_GRANT, copy_from(GRANT_ID(1, 4), 0, OWN, 1)); /* stale */
	IS(E_GRANT, copy_from(GRANT_ID(3, 0), 0, OWN, 1)); /* write only */
	IS(E_GRANT, copy_to(GRANT_ID(2, 0), 0, OWN, 1));   /* read only */
	IS(E_GRANT, copy_from(GRANT_ID(2, 0), 0, OWN, 101));
	IS(E_GRANT, copy_from(GRANT_ID(2, 0), 100, OWN, 1));
	IS(E_GRANT, copy_from(GRANT_ID(2, 0), ~0ul, OWN, 2));
	IS(E_OK, copy_from(GRANT_ID(2, 0), 99, OWN, 1));
	puppet_new(&other, 2, "other", 0);
	IS(E_GRANT, puppet_call(&other, KCALL_copy_from_grant, granter.child.ep, GRANT_ID(2, 0), 0,
	                    OWN, 1)); /* granted to somebody else */
	puppet_free(&other);
	TABLE[2].address = (void *)KERNEL_VA;
	IS(E_GRANT, copy_from(GRANT_ID(2, 0), 0, OWN, 1));
	IS(E_OK, puppet_call(&granter, KCALL_grant_table_set, 0, 0));
	IS(E_GRANT, copy_from(GRANT_ID(1, 5), 0, OWN, 1));
	grants_free();
}

static void test_copy_errors(void)
{
	endpoint_t dead = EP_MAKE(200, 3);

	grants_new();
	IS(E_INVAL, copy_from(GRANT_ID(2, 0), 0, KERNEL_VA, 8));
	IS(E_INVAL, copy_from(GRANT_ID(2, 0), 0, ~7ul, 100));
	IS(E_INVAL, copy_to(GRANT_ID(3, 0), 0, KERNEL_VA, 8));
	IS(E_FAULT, copy_from(GRANT_ID(2, 0), 0, NOWHERE, 8));
	IS(E_FAULT, copy_to(GRANT_ID(3, 0), 0, NOWHERE, 8));
	IS(E_FAULT, copy_from(GRANT_ID(2, 0), 0, (uint64_t)bytes_check, 8)); /* read-only target */
	TABLE[3].address = (void *)NOWHERE;
	IS(E_FAULT, copy_to(GRANT_ID(3, 0), 0, OWN, 8));
	IS(E_DEAD, puppet_call(&user, KCALL_copy_from_grant, dead, GRANT_ID(2, 0), 0, OWN, 1));
	IS(E_DEAD, puppet_call(&user, KCALL_copy_to_grant, dead, GRANT_ID(2, 0), 0, OWN, 1));
	grants_free();
}

/* A granter that was never committed grants nothing. */
static void test_grant_uncommitted(void)
{
	grants_new();
	puppet_free(&granter);
	puppet_new(&granter, 0, "granter", SLOT_UNCOMMITTED);
	IS(E_OK, puppet_call(&granter, KCALL_grant_table_set, (uint64_t)TABLE, 4));
	IS(E_GRANT, copy_from(GRANT_ID(2, 0), 0, OWN, 1));
	grants_free();
}

const struct test tests_grant[] = {
        {"grant_table_set", test_table_set},
        {"copy_from_grant and copy_to_grant across pages", test_copy},
        {"copy_to_grant into pages never touched", test_copy_absent},
        {"what a grant does not cover", test_grant_errors},
        {"errors of safe copies", test_copy_errors},
        {"grants of an uncommitted instance", test_grant_uncommitted},
        {0},
};
