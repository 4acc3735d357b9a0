/*
 * A hostile machine behind the gate, on the host: it answers calls with what the bytes of a fuzzer's
 * input say, keeps a service's variables and puts them back.
 */
#include "osd/lib/sef/test/host.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "osd/lib/heap/heap.h"
#include "osd/lib/rt/rt.h"
#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/test/host_gate.h"

#define HEAP_BYTES (UINT64_C(16) << 20)

extern char __start_service_bss[], __stop_service_bss[];
extern char __start_service_data[], __stop_service_data[];

static struct host_setup setup;
static struct start_info start;
static char *first_bss, *first_data;
static void *heap;
static const uint8_t *input;
static size_t input_left;
static uint32_t n_replies;
static nsec_t now;
static uint64_t random_state;
static jmp_buf end;
static const struct grant *grants;
static uint64_t n_grants;

/* There must be something in each section. */
__attribute__((section("service_bss"), used)) static char in_bss;
__attribute__((section("service_data"), used)) static char in_data = 1;

bool host_has_bytes(void)
{
	return input_left > 0;
}

void host_bytes(void *to, size_t n)
{
	size_t have = n < input_left ? n : input_left;

	memset(to, 0, n);
	memcpy(to, input, have);
	input += have;
	input_left -= have;
}

uint8_t host_byte(void)
{
	uint8_t byte;

	host_bytes(&byte, 1);
	return byte;
}

uint64_t host_word(void)
{
	uint64_t word;

	host_bytes(&word, sizeof(word));
	return word;
}

/* A word is most often a small number, one close to the end of the range, or a page. */
static uint64_t word_likely(void)
{
	uint8_t how = host_byte();

	switch (how % 8) {
	case 0:
		return host_word();
	case 1:
		return UINT64_MAX - how / 8;
	case 2:
		return (uint64_t)host_byte() * PAGE_SIZE;
	case 3:
		return UINT64_C(1) << (how / 8 + 24);
	default:
		return host_byte();
	}
}

struct message host_message(
        uint32_t base, uint32_t n_types, const endpoint_t *from, uint32_t n_from)
{
	struct message msg;
	uint8_t how = host_byte();

	msg.type = how == 255 ? (uint32_t)host_word() : base + how % n_types;
	msg.source = from[host_byte() % n_from];
	for (uint32_t i = 0; i < 7; i++) {
		msg.w[i] = word_likely();
	}
	return msg;
}

uint32_t host_n_replies(void)
{
	return n_replies;
}

/* One in sixteen fails. */
static err_t result_hostile(void)
{
	static const err_t errors[] = {E_FAULT, E_DEAD, E_GRANT, E_PERM};
	uint8_t how = host_byte();

	return how % 16 == 15 ? errors[how / 16 % 4] : E_OK;
}

/* Read every byte, so that ASan sees the first one too far. */
static void touch(const void *bytes, uint64_t n)
{
	const uint8_t *p = bytes;
	static volatile uint8_t sink;

	while (n-- > 0) {
		sink ^= *p++;
	}
}

static err_t copy_hostile(void *to, const void *from, uint64_t n)
{
	err_t r = result_hostile();

	if (r == E_OK && to) {
		host_bytes(to, n);
	} else if (r == E_OK) {
		touch(from, n);
	}
	return r;
}

/* Splitmix (Steele, Lea, Flood): drawing must not use the input up. */
static uint64_t random_next(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool is_self(uint64_t endpoint)
{
	return (endpoint_t)endpoint == EP_SELF || (endpoint_t)endpoint == setup.self;
}

/* Between two spaces; only the side that is the service's own is looked at. */
static err_t copy_spaces(const uint64_t *a)
{
	void *to = is_self(a[2]) ? (void *)a[3] : NULL;
	const void *from = is_self(a[0]) ? (const void *)a[1] : NULL;

	if (to && from) {
		memmove(to, from, a[4]);
		return E_OK;
	}
	return to || from ? copy_hostile(to, from, a[4]) : E_OK;
}

static err_t call_answer(enum kcall number, const uint64_t *a, uint64_t *ret_second)
{
	err_t result;

	if (setup.call && setup.call(number, a, ret_second, &result)) {
		return result;
	}
	switch ((uint32_t)number) {
	case KCALL_copy_from_grant:
		return copy_hostile((void *)a[3], NULL, a[4]);
	case KCALL_copy_to_grant:
		return copy_hostile(NULL, (const void *)a[3], a[4]);
	case KCALL_copy:
		return copy_spaces(a);
	case KCALL_clock_read:
		return (err_t)(now += 1000);
	case KCALL_random:
		*ret_second = random_next();
		return E_OK;
	case KCALL_grant_table_set:
		grants = (const struct grant *)a[0];
		n_grants = a[1];
		return E_OK;
	case KCALL_exit:
	case KCALL_machine_off:
		host_end();
	case KCALL_log_write:
		touch((const void *)a[0], a[1]);
		return E_OK;
	case KCALL_slot_info:
		memset((void *)a[1], 0, sizeof(struct slot_info));
		return E_OK;
	default:
		return E_OK;
	}
}

static bool is_ipc(enum kcall number)
{
	return number == KCALL_send || number == KCALL_sendrec || number == KCALL_asend ||
	       number == KCALL_reply || number == KCALL_receive || number == KCALL_reply_receive;
}

static err_t ipc_answer(enum kcall number, endpoint_t to, struct message *msg)
{
	if (number == KCALL_reply || number == KCALL_reply_receive) {
		n_replies++;
	}
	if (number == KCALL_receive || number == KCALL_reply_receive) {
		if (!host_has_bytes()) {
			host_end();
		}
		setup.receive(msg);
		return E_OK;
	}
	if (setup.ipc) {
		return setup.ipc(number, to, msg);
	}
	if (number == KCALL_sendrec) {
		host_bytes(msg->w, sizeof(msg->w));
	}
	return number == KCALL_asend && host_byte() % 4 == 3 ? E_FULL : E_OK;
}

void host_enter(struct host_registers *r)
{
	uint64_t a[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
	uint64_t *words[8] = {&r->rsi, &r->rdx, &r->r8, &r->r9, &r->r10, &r->r12, &r->r13, &r->r14};
	enum kcall number = (enum kcall)r->rax;
	struct message msg;
	uint64_t *w = (uint64_t *)(void *)&msg;

	if (!is_ipc(number)) {
		r->rax = (uint64_t)call_answer(number, a, &r->rdx);
		return;
	}
	for (unsigned int i = 0; i < 8; i++) {
		w[i] = *words[i];
	}
	r->rax = (uint64_t)ipc_answer(number, (endpoint_t)r->rdi, &msg);
	for (unsigned int i = 0; i < 8; i++) {
		*words[i] = w[i];
	}
}

void host_run(int (*service_main)(void))
{
	if (setjmp(end) == 0) {
		(void)service_main();
	}
}

void host_end(void)
{
	longjmp(end, 1);
}

void *host_grant(uint32_t id, uint64_t *ret_bytes)
{
	uint32_t index = id & 0xffff;

	if (index >= n_grants || !grants[index].address || grants[index].sequence != id >> 16) {
		return NULL;
	}
	*ret_bytes = grants[index].bytes;
	return grants[index].address;
}

const struct start_info *rt_start_info(void)
{
	return &start;
}

_Noreturn void rt_panic(const char *text)
{
	(void)fprintf(stderr, "panic: %s\n", text);
	abort();
}

/* Not memcpy: ASan keeps space around variables that it must not see. */
static void bytes_copy(char *to, const char *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static char *section_keep(const char *first, const char *end)
{
	char *kept = malloc((size_t)(end - first));

	if (!kept) {
		abort();
	}
	bytes_copy(kept, first, (size_t)(end - first));
	return kept;
}

void host_init(const struct host_setup *wanted)
{
	setup = *wanted;
	start = (struct start_info){.gate = (vaddr_t)host_gate,
	        .magic = START_MAGIC,
	        .version = 1,
	        .size = sizeof(start),
	        .kind = START_FRESH,
	        .self = setup.self,
	        .supervisor = setup.supervisor,
	        .tsc_khz = 1000000,
	        .boot_image = (vaddr_t)setup.boot_image,
	        .boot_image_bytes = setup.boot_image_bytes};
	(void)snprintf(start.name, sizeof(start.name), "%s", setup.name);
	sys_gate = (vaddr_t)host_gate;
	heap = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE,
	        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (heap == MAP_FAILED) {
		abort();
	}
	first_bss = section_keep(__start_service_bss, __stop_service_bss);
	first_data = section_keep(__start_service_data, __stop_service_data);
}

void host_begin(const uint8_t *data, size_t size)
{
	bytes_copy(
	        __start_service_bss, first_bss, (size_t)(__stop_service_bss - __start_service_bss));
	bytes_copy(__start_service_data, first_data,
	        (size_t)(__stop_service_data - __start_service_data));
	if (madvise(heap, HEAP_BYTES, MADV_DONTNEED) != 0) {
		abort();
	}
	input = data;
	input_left = size;
	n_replies = 0;
	now = 0;
	random_state = 0;
	grant_table_register();
	heap_init((uint64_t)heap, HEAP_BYTES, HEAP_BYTES, start.random);
}
