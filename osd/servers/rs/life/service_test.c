#undef NDEBUG
/* Who may send to whom, as the kernel gets to know it: kits name services, slots have bits. */
#include "osd/servers/rs/life/service.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/log.h"

#define N 4
#define KIT_SLOTS 12u
#define KIT_CALL (KCALL_kernel_stats - KCALL_BASE)

static struct service *services[N];
#define NEXT_SPACE 9 /* of who is to run there next */

static uint64_t
        targets[NEXT_SPACE + 1]; /* of the space with this number, when privileges were set last */
static uint32_t n_set;

/* The kernel: it keeps what it is told. */
void host_enter(struct host_registers *r)
{
	const struct domain_privileges *privileges = (const struct domain_privileges *)r->rsi;

	assert(r->rax == KCALL_domain_set && r->rdi <= NEXT_SPACE);
	targets[r->rdi] = privileges->ipc_to[0];
	n_set++;
	/* What every process has, and what the kit names. */
	assert(privileges->calls[0] == (kcalls_ordinary() | UINT64_C(1) << KIT_CALL));
	assert(privileges->n_slots == KIT_SLOTS);
	/* All services are in the first slots: the others are targets of `*` only. */
	for (uint32_t i = 1; i < N_SERVICE_SLOTS / 64; i++) {
		assert(privileges->ipc_to[i] ==
		        (privileges->ipc_to[0] == UINT64_MAX ? UINT64_MAX : 0));
	}
	assert(privileges->ipc_classes == privileges->ipc_to[1]);
	r->rax = E_OK;
}

void rs_panic(const char *text)
{
	fprintf(stderr, "panic: %s\n", text);
	abort();
}

/* A service in slot and space 1 + n, whose kit has up to two targets. */
static void add(uint32_t n, const char *name, const char *target, const char *other)
{
	char field[SERVICE_NAME_LEN] = "";
	struct kit_manifest *kit;

	strcpy(field, name);
	services[n] = service_add(field);
	services[n]->endpoint = EP_MAKE(1 + (endpoint_t)n, 1);
	services[n]->instance.space = 1 + n;
	kit = &services[n]->binary.kit;
	strcpy(kit->service, name);
	kit->n_slots = KIT_SLOTS;
	kit->call_mask[0] = UINT64_C(1) << KIT_CALL;
	strcpy(kit->targets[0], target);
	strcpy(kit->targets[1], other);
	kit->n_targets = (target[0] != '\0') + (other[0] != '\0');
}

static uint64_t bit(uint32_t n)
{
	return UINT64_C(1) << (1 + n);
}

/* A name is one service, `clients` are those whose kits have the name, `*` is every slot. */
static void test_targets(void)
{
	add(0, "store", "disk", "clients");
	add(1, "disk", "", "");
	add(2, "shell", "store", "");
	add(3, "root", "*", "");
	service_privileges_refresh();
	assert(targets[1] == (bit(1) | bit(2)));
	assert(targets[2] == 0 && targets[3] == bit(0) && targets[4] == UINT64_MAX);
}

/* Whoever is gone, or runs from a kit without the target, is no client any more. */
static void test_clients(void)
{
	endpoint_t endpoint = services[2]->endpoint;

	services[2]->endpoint = EP_NONE;
	service_privileges_refresh();
	assert(targets[1] == bit(1));
	services[2]->endpoint = endpoint;
	service_privileges_refresh();
	assert(targets[1] == (bit(1) | bit(2)));
	services[2]->binary.kit.n_targets = 0;
	service_privileges_refresh();
	assert(targets[1] == bit(1));
}

/* Who is to run next in a service's place hears of targets that come and go, too, by its own kit. */
static void test_next(void)
{
	static struct kit_manifest kit;

	kit = services[2]->binary.kit;
	strcpy(kit.targets[0], "disk");
	kit.n_targets = 1;
	n_set = 0;
	service_privileges_refresh();
	assert(n_set == N);
	services[2]->next_kit = &kit;
	services[2]->next_space = NEXT_SPACE;
	service_privileges_refresh();
	assert(n_set == 2 * N + 1 && targets[NEXT_SPACE] == bit(1) && targets[3] == 0);
	services[1]->endpoint = EP_NONE;
	service_privileges_refresh();
	assert(targets[NEXT_SPACE] == 0);
	services[1]->endpoint = EP_MAKE(2, 1);
	services[2]->next_kit = NULL;
	n_set = 0;
	service_privileges_refresh();
	assert(n_set == N && targets[NEXT_SPACE] == 0);
}

/* Each once, in any order of reading; what cannot be updated in any case need not be read. */
static void test_undescribed(void)
{
	static const uint8_t description[1];

	for (uint32_t i = 0; i < N; i++) {
		services[i]->binary.description = description;
	}
	services[0]->is_kernel_loaded = true;
	services[1]->binary.description = NULL;
	services[3]->binary.described = description;
	assert(service_undescribed() == services[2] && service_undescribed() == services[2]);
	services[2]->binary.described = description;
	assert(service_undescribed() == NULL);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	test_targets();
	test_clients();
	test_next();
	test_undescribed();
	return 0;
}
