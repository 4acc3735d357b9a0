/*
 * What the kernel says of the slots that RS made: faults, exits, reports. In words, for the journal
 * and for results; and what follows for a service that is in no transaction.
 */
#include "osd/servers/rs/life/event.h"

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/recover.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/life/where.h"
#include "osd/servers/rs/base/text.h"

static const char *event_reason_text(uint64_t reason)
{
	switch ((enum fault_reason)reason) {
	case FAULT_PAGE:
		return "page fault";
	case FAULT_PAGE_UNCOMMITTED:
		return "page fault outside its arena";
	case FAULT_ILLEGAL:
		return "illegal instruction";
	case FAULT_PROTECTION:
		return "protection fault";
	case FAULT_DIVIDE:
		return "division error";
	case FAULT_FPU:
		return "floating point error";
	case FAULT_DEBUG:
		return "breakpoint";
	case FAULT_FOREIGN_CALL:
		return "foreign system call";
	case FAULT_STRAY_CALL:
		return "system call outside the gate page";
	case FAULT_FOREIGN_UNANSWERED:
		return "system call that nobody answers";
	case FAULT_OTHER:
		break;
	}
	return "exception";
}

#define EVENT_TEXT 104
/* Of the words of a service: more is cut off by the text that they go into. */
#define EVENT_PANIC_WORDS 100

/*
 * The service's own words on its end; the address is the instance's, so a bad one costs the words.
 */
static void event_describe_panic(const struct slot_event *event, struct text *text)
{
	char words[EVENT_PANIC_WORDS];
	uint64_t n = event->w[2] < sizeof(words) ? event->w[2] : sizeof(words);

	text_add(text, "panic: ");
	if (sys_copy(event->endpoint, event->w[1], EP_SELF, (vaddr_t)words, n, 0) == E_OK) {
		text_add_field(text, words, n);
	}
}

void event_describe(const struct slot_event *event, const struct instance *instance,
        const struct binary *binary, char *ret_text, size_t size)
{
	struct text text = text_init(ret_text, size);

	switch ((enum slot_event_kind)event->kind) {
	case SLOT_EVENT_FAULT:
		text_add(&text, event_reason_text(event->w[0]));
		text_add(&text, " at ");
		where_add(&text, instance, binary, event->endpoint, event->w[1]);
		text_add(&text, ", ip ");
		where_add(&text, instance, binary, event->endpoint, event->w[2]);
		break;
	case SLOT_EVENT_EXIT:
		text_add(&text, "exit ");
		text_add_decimal(&text, (int64_t)event->w[0]);
		break;
	case SLOT_EVENT_REPORT:
		if (event->w[0] == SEF_REPORT_PANIC) {
			event_describe_panic(event, &text);
		} else {
			text_add(&text, "unexpected report ");
			text_add_decimal(&text, (int64_t)event->w[0]);
		}
		break;
	case SLOT_EVENT_ABUSE:
		text_add(&text, "abuse of kernel call ");
		text_add_hex(&text, event->w[0]);
		break;
	}
}

err_t event_error(const struct slot_event *event)
{
	return event->kind == SLOT_EVENT_EXIT ? E_EXITED : E_CRASHED;
}

static void event_crash(struct service *service, const struct slot_event *event)
{
	char text[EVENT_TEXT];

	event_describe(event, &service->instance, &service->binary, text, sizeof(text));
	recover_crash(service, event_error(event), text);
}

/* A report that no transaction waits for. */
static void event_report(struct service *service, const struct slot_event *event)
{
	bool is_starting =
	        service->state == RS_SERVICE_STARTING || service->state == RS_SERVICE_RESTARTING;

	if (event->w[0] == SEF_REPORT_STARTED && is_starting) {
		(void)sys_slot_resume(event->endpoint, SEF_RESUME_GO);
		recover_started(service);
	} else if (event->w[0] == SEF_REPORT_PREPARED) {
		/* Its transaction has ended meanwhile. */
		(void)sys_slot_resume(event->endpoint, SEF_RESUME_ROLLED_BACK);
	} else {
		event_crash(service, event);
	}
}

void event_handle(const struct slot_event *event)
{
	struct service *service = service_of(event->endpoint);

	if (service == NULL || service->state == RS_SERVICE_DOWN) {
		return; /* of a slot that was ended meanwhile */
	}
	switch ((enum slot_event_kind)event->kind) {
	case SLOT_EVENT_REPORT:
		event_report(service, event);
		break;
	case SLOT_EVENT_FAULT:
	case SLOT_EVENT_EXIT:
	case SLOT_EVENT_ABUSE:
		event_crash(service, event);
		break;
	}
}
