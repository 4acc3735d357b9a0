/*
 * A ring of numbered events. The oldest go when it is full, acknowledged or not: a
 * reader sees the gap in the numbers. Subscribers are notified, never waited for; they
 * fetch what they have not seen. While it is quiet there is nothing to be fetched either: a subscriber
 * that has not caught up would pass old events on while services are held.
 */
#include "osd/servers/rs/base/journal.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/text.h"

#define JOURNAL_N_SUBSCRIBERS 8

/* Numbers rise from 1; event n lies at n % RS_N_EVENTS while first <= n < end. */

static struct rs_event journal_events[RS_N_EVENTS];
static uint64_t journal_first = 1, journal_end = 1;
static endpoint_t journal_subscribers[JOURNAL_N_SUBSCRIBERS];
static uint32_t journal_n_subscribers;
static bool journal_is_quiet, journal_is_untold; /* untold: there is something to notify of */

/* Notify all subscribers, or remember to; one whose endpoint is gone is none any more. */
static void journal_tell(void)
{
	journal_is_untold = journal_is_quiet;
	if (journal_is_quiet) {
		return;
	}
	for (uint32_t i = 0; i < journal_n_subscribers;) {
		if (sys_notify(journal_subscribers[i]) == E_DEAD) {
			journal_subscribers[i] = journal_subscribers[--journal_n_subscribers];
		} else {
			i++;
		}
	}
}

void journal_add(const struct journal_entry *entry)
{
	struct rs_event *event = &journal_events[journal_end % RS_N_EVENTS];
	struct text text;

	memset(event, 0, sizeof(*event));
	event->sequence = journal_end++;
	event->at = sys_clock_read();
	event->kind = entry->kind;
	event->step = entry->step;
	event->transaction = entry->transaction.number;
	event->epoch = entry->transaction.epoch;
	event->err = entry->err;
	memcpy(event->service, entry->service, SERVICE_NAME_LEN);
	text = text_init(event->text, sizeof(event->text));
	text_add(&text, entry->text);
	if (journal_end - journal_first > RS_N_EVENTS) {
		journal_first = journal_end - RS_N_EVENTS;
	}
	journal_tell();
}

void journal_quiet(bool is_quiet)
{
	journal_is_quiet = is_quiet;
	if (journal_is_untold) {
		journal_tell();
	}
}

err_t journal_subscribe(endpoint_t who)
{
	for (uint32_t i = 0; i < journal_n_subscribers; i++) {
		if (journal_subscribers[i] == who) {
			return E_OK;
		}
	}
	if (journal_n_subscribers == JOURNAL_N_SUBSCRIBERS) {
		return E_FULL;
	}
	journal_subscribers[journal_n_subscribers++] = who;
	return E_OK;
}

void journal_acknowledge(uint64_t below)
{
	if (below > journal_first) {
		journal_first = below < journal_end ? below : journal_end;
	}
}

uint64_t journal_oldest(void)
{
	return journal_first;
}

uint64_t journal_next(void)
{
	return journal_end;
}

/* Who asks in vain while it is quiet must hear of it afterwards, whether anything is added or not. */
uint64_t journal_fetchable(void)
{
	journal_is_untold = journal_is_untold || journal_is_quiet;
	return journal_is_quiet ? journal_first : journal_end;
}

const struct rs_event *journal_get(uint64_t sequence)
{
	return &journal_events[sequence % RS_N_EVENTS];
}
