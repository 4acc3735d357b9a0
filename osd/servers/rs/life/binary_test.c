/*
 * Layouts of binaries, with the machine's linker: another one each time, an old one given back, and
 * what becomes of a kit that no layout can be made of.
 */
#undef NDEBUG
#include "osd/servers/rs/life/binary.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/image/flat_sample.h"

struct machine machine; /* whose root names the audit key */
static uint64_t word;   /* the next random word */
static nsec_t now;
static uint32_t n_taken, n_logged;
static bool is_out_of_memory;

/* The kernel: a clock that goes on, and random words. */
void host_enter(struct host_registers *r)
{
	if (r->rax == KCALL_clock_read) {
		r->rax = ++now;
		return;
	}
	assert(r->rax == KCALL_random);
	r->rax = E_OK;
	r->rdx = word++;
}

void *stage_memory_new(uint64_t bytes)
{
	if (is_out_of_memory) {
		return NULL;
	}
	n_taken++;
	return aligned_alloc(PAGE_SIZE, bytes);
}

void stage_memory_free(void *memory, uint64_t bytes)
{
	n_taken--;
	free(memory);
}

void stage_memory_cut(void *memory, uint64_t bytes)
{
}

err_t memory_give(const void *from, space_t to, vaddr_t to_va, uint64_t bytes, uint32_t prot)
{
	return E_OK;
}

err_t memory_map(space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t backed)
{
	return E_OK;
}

void blob_unref(struct blob *blob)
{
	if (blob != NULL) {
		blob->n_users--;
	}
}

void rs_log(const char *text)
{
	n_logged++;
}

_Noreturn void rs_panic(const char *text)
{
	abort();
}

/* A binary as an order left it: made of the sample, in the layout that `first` holds. */
static struct binary binary_of_sample(struct layout *first)
{
	static const struct sample_size size = {
	        .pieces = {40, 20, 20, 20}, .bytes = 200, .relocs = 3, .symbols = 30};
	static const struct span_set nothing;
	struct binary binary = {.kit.service = "sample"};
	uint64_t state = 99;
	struct sample_kit sample = sample_draw(&state, &size);
	size_t n;

	binary.flat.bytes = sample_file(&sample, &n);
	binary.flat.n_bytes = n;
	sample_fini(&sample);
	assert(binary_make(&binary, &nothing) == E_OK && binary_is_machine_made(&binary));
	*first = binary.layout;
	return binary;
}

static void test_remake(void)
{
	static const uint8_t none[RS_SEALED_LEN];
	struct layout first;
	struct binary binary = binary_of_sample(&first);
	uint8_t *bytes = (uint8_t *)(uintptr_t)binary.flat.bytes;
	uint64_t base = binary.image.header->base;
	struct blob blob = {.n_users = 1};

	binary.payload_blob = &blob; /* as if it had been staged */
	binary.payload_hash[0] = 1;
	assert(binary_remake(&binary) == E_OK && n_taken == 1);
	assert(binary.image.header->base != base && binary.n_made == 1);
	assert(memcmp(binary.layout.commitment, first.commitment, RS_HASH_LEN) != 0);
	assert(binary.payload_blob == NULL && blob.n_users == 0 && binary.payload_hash[0] == 0);
	assert(memcmp(binary.layout.sealed, none, sizeof(none)) == 0);
	/* Another root: what is made from now on is sealed to its key. */
	memset(machine.trust.audit_pub, 0x42, sizeof(machine.trust.audit_pub));
	assert(binary_wants_key());
	binary_agree_key();
	binary_agree_key();
	assert(!binary_wants_key());
	assert(binary_remake(&binary) == E_OK && n_taken == 1 && binary.n_made == 2);
	assert(!binary.is_kept);
	assert(memcmp(binary.layout.sealed, none, sizeof(none)) != 0);
	assert(binary_wants_key());
	machine.trust.root_serial++;
	binary_agree_key();
	assert(binary_wants_key());
	memset(machine.trust.audit_pub, 0, sizeof(machine.trust.audit_pub));
	assert(!binary_wants_key());
	binary_release(&binary);
	assert(n_taken == 0 && !binary_is_machine_made(&binary));
	free(bytes);
}

/*
 * What was handed over cannot be started again: another layout takes its place, and a kit that gives
 * none any more is not forgotten, since then nothing could be started.
 */
static void test_given(void)
{
	struct layout first;
	struct binary binary = binary_of_sample(&first);
	const struct vm_region old = {
	        .va = binary.image.header->base, .bytes = binary.image.header->window_len};
	uint8_t *bytes = (uint8_t *)(uintptr_t)binary.flat.bytes;
	uint64_t base = binary.image.header->base;

	assert(!binary_is_given(&binary) && layout_give(&binary.layout, 1) == E_OK);
	assert(binary_is_given(&binary) && binary.image.header->base == base);
	assert(binary_renew(&binary, &old, 1) == E_OK && !binary_is_given(&binary));
	assert(binary.image.header->base != base && n_taken == 1 && binary.n_made == 0);
	assert(memcmp(binary.layout.commitment, first.commitment, RS_HASH_LEN) != 0);
	is_out_of_memory = true;
	assert(layout_give(&binary.layout, 1) == E_OK);
	assert(binary_renew(&binary, &old, 1) == E_NOMEM && binary_is_given(&binary));
	is_out_of_memory = false;
	binary.flat.view.header = NULL;
	bytes[0]++;
	assert(binary_remake(&binary) == E_V_IMAGE && binary.flat.bytes != NULL);
	bytes[0]--;
	assert(binary_remake(&binary) == E_OK && !binary_is_given(&binary) && n_logged == 0);
	binary_release(&binary);
	assert(n_taken == 0);
	free(bytes);
}

/* What RS makes by itself is counted, and each commitment hangs on those before it. */
static void test_follow(void)
{
	static const uint8_t none[RS_HASH_LEN];
	struct binary ordered = {.generation = {3, 7}}, first, second, other;

	first = ordered;
	first.layout.commitment[0] = 1;
	binary_follow(&first, &ordered);
	assert(first.n_made == 1 && memcmp(first.made_head, none, sizeof(none)) != 0);
	assert(first.made_first == now && first.made_last == now);
	second = (struct binary){.layout.commitment[0] = 2};
	binary_follow(&second, &first);
	assert(second.n_made == 2 && second.generation.epoch == 3 && second.generation.number == 7);
	assert(second.made_first == first.made_first && second.made_last == now);
	assert(second.made_last > second.made_first);
	other = (struct binary){.layout.commitment[0] = 2};
	binary_follow(&other, &first);
	assert(memcmp(other.made_head, second.made_head, RS_HASH_LEN) == 0);
	/* Another commitment, generation, count or past gives another head. */
	other.layout.commitment[0] = 3;
	binary_follow(&other, &first);
	assert(memcmp(other.made_head, second.made_head, RS_HASH_LEN) != 0);
	other.layout.commitment[0] = 2;
	first.made_head[63]++;
	binary_follow(&other, &first);
	assert(memcmp(other.made_head, second.made_head, RS_HASH_LEN) != 0);
	first.made_head[63]--;
	first.generation.number++;
	binary_follow(&other, &first);
	assert(memcmp(other.made_head, second.made_head, RS_HASH_LEN) != 0);
	first.generation.number--;
	first.generation.epoch++;
	binary_follow(&other, &first);
	assert(memcmp(other.made_head, second.made_head, RS_HASH_LEN) != 0);
	first.generation.epoch--;
	first.n_made++;
	binary_follow(&other, &first);
	assert(memcmp(other.made_head, second.made_head, RS_HASH_LEN) != 0);
	first.n_made--;
	binary_follow(&other, &first);
	assert(memcmp(other.made_head, second.made_head, RS_HASH_LEN) == 0);
}

/* Everything that it refers to knows that it is gone, so that it can be dropped. */
static void test_release(void)
{
	struct blob blobs[3] = {{.n_users = 2}, {.n_users = 2}, {.n_users = 2}};
	struct trust_variant variant = {.n_users = 2};
	struct binary binary = {.payload_blob = &blobs[0],
	        .description_blob = &blobs[1],
	        .flat_blob = &blobs[2],
	        .variant = &variant};

	binary_release(&binary);
	binary_release(&binary);
	for (uint32_t i = 0; i < 3; i++) {
		assert(blobs[i].n_users == 1);
	}
	assert(variant.n_users == 1);
}

/* Memory comes back: it is as it was, for the next try. */
static void test_no_memory(void)
{
	struct layout first;
	struct binary binary = binary_of_sample(&first);
	struct binary before = binary;

	is_out_of_memory = true;
	assert(binary_remake(&binary) == E_NOMEM);
	assert(memcmp(&binary, &before, sizeof(before)) == 0 && n_logged == 0);
	is_out_of_memory = false;
	layout_init(PAGE_SIZE);
	assert(binary_remake(&binary) == E_STORE_FULL);
	assert(memcmp(&binary, &before, sizeof(before)) == 0 && n_logged == 0);
	layout_init(UINT64_C(8) << 20);
	assert(binary_remake(&binary) == E_OK && binary.n_made == 1);
	binary_release(&binary);
	free((void *)(uintptr_t)before.flat.bytes);
}

/* A damaged kit must not keep a service from starting; without one there is nothing to do. */
static void test_bad_kit(void)
{
	struct layout first;
	struct binary binary = binary_of_sample(&first);
	struct flat_header *header = (struct flat_header *)(uintptr_t)binary.flat.bytes;

	header->magic[0]++;
	binary.flat.view.header = NULL;
	assert(binary_remake(&binary) == E_OK && n_logged == 1);
	assert(binary.flat.bytes == NULL && binary.n_made == 0 && binary.is_kept);
	assert(binary.layout.payload == first.payload && n_taken == 1);
	binary.is_kept = false;
	assert(binary_remake(&binary) == E_OK && n_logged == 1 && binary.is_kept);
	binary_release(&binary);
	free(header);
}

/*
 * What was read of a description once serves every layout of it, and no other description. That it
 * is not read again shows in bytes that are none.
 */
static void test_described(void)
{
	static const uint8_t description[8], other[8];
	static const struct span_set nothing;
	struct layout first;
	struct binary binary = binary_of_sample(&first), next;
	uint32_t n = binary.image.header->n_symbols;

	binary.description = binary.described = description;
	binary.n_described = n;
	binary.root_entry = 1;
	assert(binary_describe(&binary) && binary.heap_root == binary.image.symbols[1]);
	binary.root_entry = UINT32_MAX;
	assert(binary_describe(&binary) && binary.heap_root == 0);
	next = (struct binary){.description = description, .image = binary.image};
	binary_describe_as(&next, &binary);
	assert(binary_describe(&next) && next.n_described == n);
	assert(binary_has_description(&next) && next.description == description);
	next = (struct binary){.description = other, .description_bytes = sizeof(other)};
	binary_describe_as(&next, &binary);
	assert(next.described == NULL && !binary_describe(&next));
	binary.n_described = n + 1;
	assert(!binary_describe(&binary));
	/* A layout of a kit that the description does not fit is not kept... */
	next = binary;
	next.layout = (struct layout){0};
	assert(n_taken == 1 && binary_make(&next, &nothing) == E_V_DESCRIPTION && n_taken == 1);
	/* ... but a running service, which reads it now, had better move without it. */
	n_logged = 0;
	assert(binary_remake(&binary) == E_OK && !binary.is_kept && binary.n_made == 1);
	assert(binary.description == NULL && n_logged == 2);
	assert(!binary_has_description(&binary) && n_logged == 2);
	free((void *)(uintptr_t)binary.flat.bytes);
	binary_release(&binary);
}

/*
 * A description of the boot image is compared with the kit before it is read, in idle time in a step of
 * its own. The store has compared what is in it.
 */
static void test_compared(void)
{
	static const uint64_t description[2];
	struct blob blob = {.n_users = 1};
	struct binary good = {.description = (const uint8_t *)description,
	        .description_bytes = sizeof(description)};
	struct binary bad = good, staged = good;

	envelope_hash(description, sizeof(description), good.kit.state_hash);
	n_logged = 0;
	binary_read_ahead(&bad);
	assert(bad.description == NULL && !bad.is_compared && n_logged == 2);
	binary_read_ahead(&good);
	assert(good.description != NULL && good.is_compared && n_logged == 2);
	/* Zeros are no description. */
	binary_read_ahead(&good);
	assert(good.description == NULL && n_logged == 4);
	staged.description_blob = &blob;
	assert(!binary_describe(&staged) && staged.is_compared);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	layout_init(UINT64_C(8) << 20);
	test_remake();
	test_given();
	test_follow();
	test_release();
	test_no_memory();
	test_bad_kit();
	test_described();
	test_compared();
	return 0;
}
