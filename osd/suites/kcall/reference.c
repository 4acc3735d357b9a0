/* The rules of IPC in plain C; see reference.h. */
#include "osd/suites/kcall/reference.h"

static struct actor *actor_of(struct reference *ref, endpoint_t ep)
{
	for (uint32_t i = 0; i < N_ACTORS; i++) {
		if (ref->actors[i].ep == ep) {
			return &ref->actors[i];
		}
	}
	return NULL;
}

static uint32_t actor_number(const struct reference *ref, const struct actor *actor)
{
	return (uint32_t)(actor - ref->actors);
}

static bool endpoint_is_live(struct reference *ref, endpoint_t ep)
{
	return ep == EP_VM || ep == EP_RS || actor_of(ref, ep) != NULL;
}

static void actor_done(struct actor *actor, err_t result)
{
	actor->has_given = actor->state == ACTOR_WAITING_REPLY;
	actor->state = ACTOR_DONE;
	actor->result = result;
	actor->has_message = false;
}

static void actor_got(struct actor *actor, struct message msg, endpoint_t source)
{
	actor_done(actor, E_OK);
	actor->has_message = true;
	actor->got = msg;
	actor->got.source = source;
}

static bool actor_can_be_given(const struct actor *actor)
{
	return actor->state == ACTOR_RECEIVING && !actor->is_stopped && !actor->is_held;
}

static bool is_from(endpoint_t wanted, endpoint_t source)
{
	return wanted == EP_ANY || wanted == source;
}

/* Would everybody in the chain that begins with `at` wait for self? */
static bool is_circle(struct reference *ref, const struct actor *self, const struct actor *at)
{
	if (at != self && at->state == ACTOR_RECEIVING && at->peer == self->ep) {
		return false; /* stopped or held: it takes the message when it goes on */
	}
	for (uint32_t n = 0; n <= N_ACTORS && at != NULL; n++) {
		if (at == self) {
			return true;
		}
		if (at->state == ACTOR_IDLE || at->state == ACTOR_DONE) {
			return false;
		}
		at = actor_of(ref, at->peer);
	}
	return false;
}

static void sender_remove(struct actor *from, uint32_t sender)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < from->n_senders; i++) {
		if (from->senders[i] != sender) {
			from->senders[n++] = from->senders[i];
		}
	}
	from->n_senders = n;
}

/* The first thing that waits for the actor and comes from where it wants it; false: nothing. */
static bool actor_take(struct reference *ref, struct actor *actor, endpoint_t from)
{
	const struct message notification = {.type = MSG_NOTIFY};

	if (actor->is_alarmed && is_from(from, EP_CLOCK)) {
		actor->is_alarmed = false;
		actor_got(actor, notification, EP_CLOCK);
		return true;
	}
	for (uint32_t i = 0; i < N_ACTORS; i++) {
		if (actor->notified_by & 1u << i && is_from(from, ref->actors[i].ep)) {
			actor->notified_by &= ~(1u << i);
			actor_got(actor, notification, ref->actors[i].ep);
			return true;
		}
	}
	for (uint32_t i = 0; i < actor->n_async; i++) {
		if (is_from(from, actor->async[i].source)) {
			actor_got(actor, actor->async[i], actor->async[i].source);
			for (actor->n_async--; i < actor->n_async; i++) {
				actor->async[i] = actor->async[i + 1];
			}
			return true;
		}
	}
	for (uint32_t i = 0; i < actor->n_senders; i++) {
		struct actor *sender = &ref->actors[actor->senders[i]];

		if (is_from(from, sender->ep)) {
			actor_got(actor, sender->sent, sender->ep);
			if (sender->is_sendrec) {
				sender->state = ACTOR_WAITING_REPLY;
			} else {
				actor_done(sender, E_OK);
			}
			sender_remove(actor, actor->senders[i]);
			return true;
		}
	}
	return false;
}

/* Something came, or the actor can be given something again. */
static void actor_deliver(struct reference *ref, struct actor *actor)
{
	if (actor_can_be_given(actor)) {
		(void)actor_take(ref, actor, actor->peer);
	}
}

static void call_receive(struct reference *ref, struct actor *self, endpoint_t from)
{
	self->is_first = false;
	if (!self->is_held && actor_take(ref, self, from)) {
		return;
	}
	self->state = ACTOR_RECEIVING;
	self->peer = from;
}

static err_t receive_check(struct reference *ref, endpoint_t from)
{
	if (from >= 0) {
		return endpoint_is_live(ref, from) ? E_OK : E_DEAD;
	}
	return from == EP_ANY || from == EP_KERNEL || from == EP_CLOCK || from == EP_HARDWARE
	               ? E_OK
	               : E_INVAL;
}

static err_t target_check(struct reference *ref, struct actor *self, endpoint_t to)
{
	const struct actor *target = actor_of(ref, to);

	if (to < 0) {
		return E_INVAL;
	}
	if (!endpoint_is_live(ref, to)) {
		return E_DEAD;
	}
	if (target == NULL || !(self->may_send_to >> actor_number(ref, target) & 1)) {
		self->n_masked++;
		return E_PERM;
	}
	return E_OK;
}

/* send and sendrec */
static void call_send(
        struct reference *ref, struct actor *self, struct actor *target, bool is_sendrec)
{
	if (self == target) {
		actor_done(self, E_DEADLOCK);
	} else if (actor_can_be_given(target) && is_from(target->peer, self->ep)) {
		actor_got(target, self->sent, self->ep);
		actor_done(self, E_OK);
		if (is_sendrec) {
			self->state = ACTOR_WAITING_REPLY;
			self->peer = target->ep;
		}
	} else if (is_circle(ref, self, target)) {
		actor_done(self, E_DEADLOCK);
	} else {
		self->state = ACTOR_SENDING;
		self->peer = target->ep;
		self->is_sendrec = is_sendrec;
		target->senders[target->n_senders++] = actor_number(ref, self);
	}
}

static void call_notify(struct reference *ref, struct actor *self, struct actor *target)
{
	target->notified_by |= 1u << actor_number(ref, self);
	actor_done(self, E_OK);
	actor_deliver(ref, target);
}

static void call_asend(struct reference *ref, struct actor *self, struct actor *target)
{
	if (target->n_async == REFERENCE_QUEUE) {
		actor_done(self, E_FULL);
		return;
	}
	target->async[target->n_async] = self->sent;
	target->async[target->n_async++].source = self->ep;
	actor_done(self, E_OK);
	actor_deliver(ref, target);
}

static err_t call_answer(struct reference *ref, const struct actor *self, endpoint_t to)
{
	struct actor *target = actor_of(ref, to);

	if (to < 0) {
		return E_INVAL;
	}
	if (!endpoint_is_live(ref, to)) {
		return E_DEAD;
	}
	if (target == NULL || target->state != ACTOR_WAITING_REPLY || target->peer != self->ep) {
		return E_STATE;
	}
	actor_got(target, self->sent, self->ep);
	return E_OK;
}

static bool is_anything_waiting(const struct actor *actor)
{
	return actor->is_alarmed || actor->notified_by != 0 || actor->n_async != 0 ||
	       actor->n_senders != 0 || actor->is_first;
}

/* Both are ready for each other, and nobody has to be asked first. */
static bool is_fast(
        struct reference *ref, const struct actor *self, enum kcall number, endpoint_t to)
{
	const struct actor *partner = actor_of(ref, to);

	if (partner == NULL || self->is_uncommitted || partner->is_stopped ||
	        (ref->is_busy && partner->priority > BUSY_PRIORITY)) {
		return false;
	}
	if (number == KCALL_sendrec) {
		return self->may_send_to >> actor_number(ref, partner) & 1 &&
		       partner->state == ACTOR_RECEIVING && partner->peer == EP_ANY &&
		       !partner->is_held;
	}
	return number == KCALL_reply_receive && partner->state == ACTOR_WAITING_REPLY &&
	       partner->peer == self->ep && !is_anything_waiting(self);
}

static void call_to_target(
        struct reference *ref, struct actor *self, enum kcall number, endpoint_t to)
{
	struct actor *target = actor_of(ref, to);
	err_t r = target_check(ref, self, to);

	if (r != E_OK) {
		actor_done(self, r);
	} else if (number == KCALL_notify) {
		call_notify(ref, self, target);
	} else if (number == KCALL_asend) {
		call_asend(ref, self, target);
	} else {
		call_send(ref, self, target, number == KCALL_sendrec);
	}
}

bool reference_call(struct reference *ref, uint32_t number_of_self, enum kcall number,
        endpoint_t to, const struct message *msg)
{
	struct actor *self = &ref->actors[number_of_self];
	bool may_be_fast = is_fast(ref, self, number, to);
	err_t r;

	self->sent = *msg;
	if (self->is_uncommitted) {
		actor_done(self, E_UNCOMMITTED);
	} else if (number == KCALL_reply) {
		actor_done(self, call_answer(ref, self, to));
	} else if (number == KCALL_reply_receive && to < 0) {
		actor_done(self, E_INVAL);
	} else if (number == KCALL_reply_receive) {
		(void)call_answer(ref, self, to);
		call_receive(ref, self, EP_ANY);
	} else if (number == KCALL_receive) {
		r = receive_check(ref, to);
		if (r == E_OK) {
			call_receive(ref, self, to);
		} else {
			actor_done(self, r);
		}
	} else {
		call_to_target(ref, self, number, to);
	}
	return may_be_fast;
}

void reference_alarm(struct reference *ref, uint32_t self)
{
	ref->actors[self].is_alarmed = true;
	actor_deliver(ref, &ref->actors[self]);
}

void reference_resume(struct reference *ref, uint32_t self)
{
	ref->actors[self].is_stopped = false;
	actor_deliver(ref, &ref->actors[self]);
}

void reference_unhold(struct reference *ref, uint32_t self)
{
	ref->actors[self].is_held = false;
	actor_deliver(ref, &ref->actors[self]);
}

void reference_commit(struct reference *ref, uint32_t self)
{
	ref->actors[self].is_uncommitted = false;
	ref->actors[self].is_first = true;
	reference_unhold(ref, self);
}

void reference_end(struct reference *ref, uint32_t self)
{
	const struct actor *ending = &ref->actors[self];

	for (uint32_t i = 0; i < N_ACTORS; i++) {
		struct actor *actor = &ref->actors[i];

		actor->notified_by &= ~(1u << self);
		sender_remove(actor, self);
		if (i != self && actor->state != ACTOR_IDLE && actor->state != ACTOR_DONE &&
		        actor->peer == ending->ep) {
			actor_done(actor, E_DEAD);
		}
	}
}
