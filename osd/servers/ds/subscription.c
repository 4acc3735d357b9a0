/*
 * Who wants to hear of which keys. DS never waits for a subscriber: a change goes into its
 * asynchronous queue. When that is full the change is not kept; the next one that concerns the
 * subscriber is replaced by a word to resynchronize, with the last sequence number that got
 * through. A subscriber that ended is forgotten at the next change.
 */
#include "osd/servers/ds/priv.h"

#include <string.h>

#include "osd/lib/heap/heap.h"
#include "osd/lib/request/ds.h"

#define SUBSCRIPTIONS_MAX 64u

struct subscription {
	struct subscription *next;
	endpoint_t who;       /* kept over restarts and updates of the subscriber */
	bool must_resync;     /* a change was lost, and the subscriber does not know yet */
	uint64_t resync_from; /* last sequence number that got through */
	uint32_t prefix_bytes;
	char prefix[DS_KEY_MAX];
};

static struct subscription *subscription_list;
static uint32_t subscription_n;

/* Where the pointer to a subscription is, or NULL would be replaced by one: the end of the list. */
static struct subscription **subscription_place(
        endpoint_t who, const char *prefix, uint32_t prefix_bytes)
{
	struct subscription **place = &subscription_list;

	while (*place != NULL) {
		const struct subscription *s = *place;

		if (s->who == who && s->prefix_bytes == prefix_bytes &&
		        memcmp(s->prefix, prefix, prefix_bytes) == 0) {
			break;
		}
		place = &(*place)->next;
	}
	return place;
}

err_t subscription_add(endpoint_t who, const char *prefix, uint32_t prefix_bytes)
{
	struct subscription *s;

	if (*subscription_place(who, prefix, prefix_bytes) != NULL) {
		return E_OK;
	}
	if (subscription_n == SUBSCRIPTIONS_MAX) {
		return E_FULL;
	}
	s = heap_new(struct subscription);
	if (s == NULL) {
		return E_NOMEM;
	}
	memset(s, 0, sizeof(*s));
	s->who = who;
	s->prefix_bytes = prefix_bytes;
	memcpy(s->prefix, prefix, prefix_bytes);
	s->next = subscription_list;
	subscription_list = s;
	subscription_n++;
	return E_OK;
}

/* Take the subscription at a place out of the list and free it; the place leads to the next one then. */
static void subscription_unlink(struct subscription **place)
{
	struct subscription *s = *place;

	*place = s->next;
	subscription_n--;
	heap_free(s);
}

err_t subscription_remove(endpoint_t who, const char *prefix, uint32_t prefix_bytes)
{
	struct subscription **place = subscription_place(who, prefix, prefix_bytes);

	if (*place == NULL) {
		return E_NOTFOUND;
	}
	subscription_unlink(place);
	return E_OK;
}

static bool subscription_matches(const struct subscription *s, const char *key, uint32_t key_bytes)
{
	return key_bytes >= s->prefix_bytes && memcmp(key, s->prefix, s->prefix_bytes) == 0;
}

/*
 * Send one change; while a resynchronization is owed that is all that is sent: the subscriber has to
 * ask for changes anyway, and this one is among them. E_DEAD: the subscriber has ended. A queue that
 * is full is no error; other errors leave the debt as it is.
 */
static err_t subscription_send(struct subscription *s, const struct ds_change_event *change)
{
	struct ds_change_event event = *change;
	err_t err;

	if (s->must_resync) {
		event.sequence = s->resync_from;
		event.kind = DS_CHANGE_RESYNC;
	}
	err = ds_changed(s->who, event);
	if (err == E_FULL) {
		s->must_resync = true;
		return E_OK;
	}
	if (err == E_OK) {
		s->must_resync = false;
		s->resync_from = change->sequence;
	}
	return err;
}

void subscription_publish(
        enum ds_change kind, const char *key, uint32_t key_bytes, uint64_t sequence)
{
	struct ds_change_event change = {.sequence = sequence, .kind = kind};
	struct subscription **place = &subscription_list;

	memcpy(change.key, key, key_bytes < DS_EVENT_KEY_MAX ? key_bytes : DS_EVENT_KEY_MAX);
	while (*place != NULL) {
		struct subscription *s = *place;

		if (subscription_matches(s, key, key_bytes) &&
		        subscription_send(s, &change) == E_DEAD) {
			subscription_unlink(place);
		} else {
			place = &s->next;
		}
	}
}

uint64_t subscription_count(void)
{
	return subscription_n;
}
