/* Who is notified of events, and which of them can be fetched, above all while it is quiet. */
#undef NDEBUG
#include "osd/servers/rs/base/journal.h"

#include <assert.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"

#define READER EP_MAKE(7, 1)

static uint32_t n_notified;

/* The kernel: a clock that stands, and a reader that can be notified. */
void host_enter(struct host_registers *r)
{
	assert(r->rax == KCALL_clock_read || (r->rax == KCALL_notify && r->rdi == READER));
	n_notified += r->rax == KCALL_notify;
	r->rax = E_OK;
	r->rdx = 0;
}

static void add(const char *text)
{
	static const char nobody[SERVICE_NAME_LEN];

	journal_add(
	        &(struct journal_entry){.kind = RS_EVENT_STEP, .service = nobody, .text = text});
}

/* What a reader that asks now would get. */
static void expect(uint64_t oldest, uint64_t fetchable, uint64_t next, uint32_t notified)
{
	assert(journal_oldest() == oldest && journal_next() == next);
	assert(journal_fetchable() == fetchable && n_notified == notified);
}

static void test_told(void)
{
	expect(1, 1, 1, 0);
	add("one");
	expect(1, 2, 2, 0);
	assert(journal_subscribe(READER) == E_OK && journal_subscribe(READER) == E_OK);
	add("two");
	expect(1, 3, 3, 1);
	assert(strcmp(journal_get(2)->text, "two") == 0 && journal_get(2)->sequence == 2);
	journal_acknowledge(2);
	expect(2, 3, 3, 1);
}

/* Not even what was there before can be fetched; afterwards all of it, and everybody hears of it. */
static void test_quiet(void)
{
	journal_quiet(true);
	add("three");
	expect(2, 2, 4, 1);
	journal_quiet(true);
	journal_quiet(false);
	expect(2, 4, 4, 2);
	assert(strcmp(journal_get(3)->text, "three") == 0);
}

/* Nothing is added, but somebody asked; nobody asked, and nothing was added. */
static void test_asked_in_vain(void)
{
	journal_quiet(true);
	expect(2, 2, 4, 2);
	journal_quiet(false);
	expect(2, 4, 4, 3);
	journal_quiet(true);
	journal_quiet(false);
	expect(2, 4, 4, 3);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	test_told();
	test_quiet();
	test_asked_in_vain();
	return 0;
}
