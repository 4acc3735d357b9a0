#undef NDEBUG
/*
 * What is left of a seed that came with a variant: nothing in the buffer that it was copied to, however
 * the request ends. Trust and store are played; they are asked for nothing else here.
 */
#include "osd/servers/rs/stage/stage_request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/stage/stage.h"

#define N_VARIANT 200

struct machine machine;

static uint8_t granted[N_VARIANT + RS_SEED_LEN];
static const uint8_t *seen; /* RS's copy */
static size_t seen_len;
static bool has_seed;
static err_t admit_err, seed_err, copy_err;
static struct trust_variant variant;

void host_enter(struct host_registers *r)
{
	bool is_from = r->rax == KCALL_copy_from_grant;

	assert(is_from || r->rax == KCALL_copy_to_grant);
	if (is_from) {
		memcpy((void *)r->r10, granted, r->r8);
	}
	r->rax = (uint64_t)(is_from ? copy_err : E_OK);
}

err_t trust_admit(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime,
        struct trust_variant **ret_variant)
{
	seen = bytes;
	seen_len = len;
	assert(memcmp(bytes, granted, len) == 0);
	*ret_variant = &variant;
	return admit_err;
}

err_t trust_give_seed(struct trust_variant *v, const uint8_t seed[RS_SEED_LEN])
{
	assert(v == &variant && memcmp(seed, granted + N_VARIANT, RS_SEED_LEN) == 0);
	has_seed = true;
	return seed_err;
}

struct blob *stage_find(const uint8_t hash[RS_HASH_LEN])
{
	return NULL;
}

bool machine_keeps_kits(void)
{
	return true;
}

uint64_t rs_uptime(void)
{
	return 0;
}

bool trust_names(const struct trust_state *t, const uint8_t hash[RS_HASH_LEN], uint64_t len)
{
	abort();
}

bool trust_names_elsewhere(const struct trust_state *t, const uint8_t hash[RS_HASH_LEN],
        const struct trust_variant *but)
{
	abort();
}

struct trust_variant *trust_oldest(struct trust_state *t, const uint8_t hash[RS_HASH_LEN])
{
	abort();
}

err_t trust_forget(struct trust_variant *v)
{
	abort();
}

err_t stage_begin(
        const uint8_t hash[RS_HASH_LEN], uint64_t total, nsec_t now, struct blob **ret_blob)
{
	abort();
}

err_t stage_advance(struct blob *blob, uint64_t bytes, nsec_t now)
{
	abort();
}

err_t stage_drop(const uint8_t hash[RS_HASH_LEN])
{
	abort();
}

bool stage_describe(uint32_t n, struct rs_blob *ret_blob)
{
	abort();
}

uint64_t stage_budget(void)
{
	abort();
}

uint64_t stage_used(void)
{
	abort();
}

static err_t admit(uint64_t n_seed)
{
	const struct rs_request request = {.bytes = N_VARIANT + n_seed, .argument = n_seed};
	struct rs_reply reply = {0};

	has_seed = false;
	for (size_t i = 0; i < sizeof(granted); i++) {
		granted[i] = (uint8_t)(i + 1);
	}
	return rs_on_admit(10, &request, &reply);
}

static bool is_wiped(void)
{
	static const uint8_t none[RS_SEED_LEN];

	return memcmp(seen + N_VARIANT, none, sizeof(none)) == 0;
}

static void test_wiped(void)
{
	assert(admit(RS_SEED_LEN) == E_OK && has_seed && seen_len == N_VARIANT && is_wiped());
	admit_err = E_V_EXPIRED;
	assert(admit(RS_SEED_LEN) == E_V_EXPIRED && !has_seed && is_wiped());
	admit_err = E_OK;
	seed_err = E_V_LAYOUT;
	assert(admit(RS_SEED_LEN) == E_V_LAYOUT && has_seed && is_wiped());
	seed_err = E_OK;
	copy_err = E_FAULT;
	assert(admit(RS_SEED_LEN) == E_FAULT && !has_seed && is_wiped());
	copy_err = E_OK;
}

static void test_without(void)
{
	assert(admit(0) == E_OK && !has_seed && seen_len == N_VARIANT);
	assert(admit(RS_SEED_LEN - 1) == E_INVAL);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	test_wiped();
	test_without();
	return 0;
}
