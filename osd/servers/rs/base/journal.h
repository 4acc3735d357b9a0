#pragma once
/*
 * Numbered events, and who is notified of them. Readers fetch events by number, so none is told
 * twice and a gap is seen; what they have acknowledged is not kept any longer.
 */
#include "osd/abi/errors.h"
#include "osd/abi/rs.h"
#include "osd/servers/rs/trust/trust.h"

/* What an event is made from; all is copied, and text is cut off where it is too long. */
struct journal_entry {
	enum rs_event_kind kind;
	enum rs_step step;
	struct trust_number transaction; /* number 0: of none */
	err_t err;
	const char *service; /* SERVICE_NAME_LEN bytes; zeros: of none */
	const char *text;
};

void journal_add(const struct journal_entry *entry);
/*
 * While it is quiet, events are kept, but nobody is notified and nothing can be fetched: a
 * subscriber's work would lengthen a blackout.
 */
void journal_quiet(bool is_quiet);
/* E_FULL: too many subscribers. Subscribing again is no error. */
__must_check err_t journal_subscribe(endpoint_t who);
/* Events with lower numbers are not kept any longer. */
void journal_acknowledge(uint64_t below);
/* The lowest number that is kept, and the number that the next event will get. */
uint64_t journal_oldest(void);
uint64_t journal_next(void);
/* Events below this number can be fetched now. Subscribers are notified when there are more. */
uint64_t journal_fetchable(void);
/* The event with this number, oldest <= sequence < next. */
const struct rs_event *journal_get(uint64_t sequence);
