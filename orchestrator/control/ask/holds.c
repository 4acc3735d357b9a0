/*
 * Holds: who wants nothing to be changed says so here, and takes it away again. A hold is known by what it
 * holds, so a request with the same words as the one that made it ends it.
 */
#include <string.h>

#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"
#include "proto/frame/frame.h"

/* One as it goes over the wire at most: its texts and a role of 32 letters, nine numbers and lengths of texts, its own length. */
#define HOLD_BYTES                                                                                 \
	(sizeof(((struct machine_row *)NULL)->name) + sizeof(((struct hold_row *)NULL)->service) + \
	        sizeof(((struct hold_row *)NULL)->identity) +                                      \
	        sizeof(((struct hold_row *)NULL)->reason) + 32 + 9 * 11 + 4)
_Static_assert(RULES_HOLDS_MAX *HOLD_BYTES + 1024 <= FRAME_PAYLOAD_MAX,
        "all holds are one answer: with more of them it needs pages");

/* Machines by name, as people know them. */
static Control__Hold *control_hold_view(
        struct pool *pool, struct machines *machines, const struct hold_row *row)
{
	const struct machine *machine =
	        row->machine ? machines_by_id(machines, row->machine) : NULL;
	Control__Hold *view = pool_zero(pool, sizeof(*view));

	control__hold__init(view);
	view->id = (uint64_t)row->id;
	/* Of one that was removed since the number is all there is. */
	view->machine = machine ? pool_text(pool, machine_row(machine)->name)
	                : row->machine
	                        ? pool_format(pool, "(removed, %lld)", (long long)row->machine)
	                        : (char *)"";
	view->service = pool_text(pool, row->service);
	view->created_us = row->created_us;
	view->until_us = row->until_us;
	view->identity = pool_text(pool, row->identity);
	view->role = (char *)access_role_word(row->role);
	view->reason = pool_text(pool, row->reason);
	view->while_connected = *row->token != '\0';
	return view;
}

/* All that hold now, which is the answer to whatever changes them. */
void control_holds_answer(struct control_client *client, uint64_t id)
{
	_cleanup_(pool_fini) struct pool pool;
	struct engine *engine = control_engine(client);
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__HoldList list = CONTROL__HOLD_LIST__INIT;
	const struct hold_row *rows;
	size_t n = rules_holds(engine_rules(engine), store_now_usec(), &rows);

	pool_init(&pool);
	list.holds = pool_zero(&pool, (n + 1) * sizeof(*list.holds));
	for (size_t i = 0; i < n; i++) {
		/* One of all machines is theirs, too, who see some. */
		if (!rows[i].machine || control_sees(client, machines_by_id(engine_machines(engine),
		                                                     rows[i].machine))) {
			list.holds[list.n_holds++] =
			        control_hold_view(&pool, engine_machines(engine), &rows[i]);
		}
	}
	reply.body_case = CONTROL__REPLY__BODY_HOLDS;
	reply.holds = &list;
	control_reply(client, id, &reply);
}

/* Whom a hold is about: one target for each service, or one for all of them. */
struct control_targets {
	struct rules_target list[CONTROL_JOBS_MAX];
	size_t n;
};

bool control_service_is_known(
        struct control_client *client, uint64_t id, int64_t machine, const char *service)
{
	struct service_row row;
	struct failure failure;

	if (!machine || store_service_find(control_db(client), machine, service, &row) == 0) {
		return true;
	}
	err_forget();
	failure_set(&failure, "no-service", service, "`luctl status` lists its services",
	        "the machine has no service %s", service);
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
	return false;
}

/* Each name counts once. */
static void control_hold_add(struct control_targets *targets, struct rules_target target)
{
	for (size_t i = 0; i < targets->n; i++) {
		if (!strcmp(targets->list[i].service, target.service)) {
			return;
		}
	}
	targets->list[targets->n++] = target;
}

/* False: the request was refused. */
static bool control_hold_targets(struct control_client *client, uint64_t id, const char *machine,
        bool all, char *const *services, size_t n_services, struct control_targets *ret)
{
	static const struct failure many = {"too-many", "hold", "a request names up to 64 services",
	        "name none for all of them"};
	int64_t of = all ? 0 : control_machine_of_record(client, id, machine);

	*ret = (struct control_targets){.n = 0};
	if (!all && !of) {
		return false;
	}
	if (n_services > CONTROL_JOBS_MAX) {
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_INVALID, &many);
		return false;
	}
	if (!n_services) {
		control_hold_add(ret, (struct rules_target){of, ""});
	}
	for (size_t i = 0; i < n_services; i++) {
		if (!control_service_is_known(client, id, of, services[i])) {
			return false;
		}
		control_hold_add(ret, (struct rules_target){of, services[i]});
	}
	return true;
}

/* The class is what a script branches on: nobody held it, or somebody else does. */
static void control_hold_refuse(
        struct control_client *client, uint64_t id, int r, const struct failure *failure)
{
	if (r < 0) {
		control_refuse_change(client, id);
	} else {
		control_refuse(client, id,
		        r == RULES_E_NONE ? WIRE__ERROR_CLASS__ERROR_NOT_FOUND
		                          : WIRE__ERROR_CLASS__ERROR_DENIED,
		        failure);
	}
}

/* Whether another connection of the same user holds by the same token already. */
static bool control_hold_goes_on(const struct control_wait *wait)
{
	const struct control_client *client;
	const struct control_wait *other;

	LIST_FOREACH(client, &wait->client->control->clients, link)
	{
		LIST_FOREACH(other, &client->waiting, link)
		{
			if (other != wait && other->over && !strcmp(other->path, wait->path) &&
			        client->who.way == wait->client->who.way &&
			        client->who.uid == wait->client->who.uid) {
				return true;
			}
		}
	}
	return false;
}

/* The connection has ended, or the request was answered: nothing is held for its command any more. */
static void control_hold_over(struct control_wait *wait)
{
	struct engine *engine = control_engine(wait->client);
	struct principal who = wait->client->who;
	struct rules_asked by = {&who, "its command is over", wait->path};

	/* lud is ending, and the command goes on: it takes the hold again when lud is back. */
	if (wait->client->control->is_ending || control_hold_goes_on(wait)) {
		return;
	}
	who.role = ACCESS_NOBODY;
	rules_hold_over(engine_rules(engine), wait->path, &by);
	engine_rules_changed(engine);
}

/* Holds for as long as the request is not answered, and so no longer than the connection lives. */
static void control_hold_wait(struct control_client *client, const Control__Request *request)
{
	struct control_wait *wait = control_wait_new(client, request->id);
	Control__Progress progress = CONTROL__PROGRESS__INIT;

	if (!wait) {
		return;
	}
	snprintf(wait->path, sizeof(wait->path), "%s", request->request_id);
	wait->over = control_hold_over;
	progress.id = request->id;
	progress.text = "held";
	control_progress(client, &progress);
}

/* Whoever waits for a hold that somebody has taken away is answered. */
static void control_holds_look(struct control *control)
{
	struct control_client *client;

	LIST_FOREACH(client, &control->clients, link)
	{
		struct control_wait *wait = LIST_FIRST(&client->waiting);

		while (wait) {
			struct control_wait *next = LIST_NEXT(wait, link);

			if (wait->over && !rules_is_held(engine_rules(control->engine), wait->path,
			                          &client->who)) {
				control_holds_answer(client, wait->id);
				control_wait_free(wait);
			}
			wait = next;
		}
	}
}

/*
 * What can be refused before anything is looked up. One that lasts as long as a command has to be known
 * again after lud was away, and to be given up with the connection: so it needs an id and a place among the
 * answers that are waited for, and has no time of its own. False: the request was refused.
 */
static bool control_hold_ok(struct control_client *client, const Control__Request *request)
{
	static const struct failure past = {
	        "time", "hold", "the hold would be over already", "give a later time"};
	static const struct failure unnamed = {"no-id", "hold",
	        "a hold that lasts as long as a command has no expiry, and needs a request id",
	        "give an id, by which it is taken again when lud was away"};
	static const struct failure full = {"too-many", "control",
	        "this connection waits for too many answers", "wait for some of them"};
	const Control__HoldRequest *hold = request->hold;
	bool is_past = hold->until_us && hold->until_us <= store_now_usec();

	if (hold->while_connected && client->n_waiting >= CONTROL_WAITING_MAX) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_FULL, &full);
		return false;
	}
	if (is_past || (hold->while_connected && (!*request->request_id || hold->until_us))) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID,
		        is_past ? &past : &unnamed);
		return false;
	}
	return true;
}

/* One row for each service that is named, so that each can be taken away by itself. */
void control_on_hold(struct control_client *client, const Control__Request *request)
{
	const Control__HoldRequest *hold = request->hold;
	struct job_asked asked = control_asked(client, request);
	struct rules_asked by = {&asked.who, asked.reason, ""};
	struct control_targets targets;
	struct failure failure;
	int r;

	if (!control_hold_ok(client, request) ||
	        !control_hold_targets(client, request->id, hold->machine, hold->all, hold->services,
	                hold->n_services, &targets)) {
		return;
	}
	by.token = hold->while_connected ? request->request_id : "";
	r = rules_hold(engine_rules(control_engine(client)), targets.list, targets.n,
	        hold->until_us, &by, &failure);
	engine_rules_changed(control_engine(client));
	if (r) {
		control_hold_refuse(client, request->id, r, &failure);
	} else if (hold->while_connected) {
		control_hold_wait(client, request);
	} else {
		control_holds_answer(client, request->id);
	}
}

/* Whoever may override takes away the holds of others, too. */
void control_on_unhold(struct control_client *client, const Control__Request *request)
{
	const Control__UnholdRequest *unhold = request->unhold;
	bool any = access_role_for(client->here.roles, ACCESS_OVERRIDE) != ACCESS_NOBODY;
	struct job_asked asked = control_asked(client, request);
	struct rules_asked by = {&asked.who, asked.reason, ""};
	struct control_targets targets;
	struct failure failure;
	int r;

	if (!control_hold_targets(client, request->id, unhold->machine, unhold->all,
	            unhold->services, unhold->n_services, &targets)) {
		return;
	}
	r = rules_unhold(
	        engine_rules(control_engine(client)), targets.list, targets.n, any, &by, &failure);
	engine_rules_changed(control_engine(client));
	control_holds_look(client->control);
	if (r) {
		control_hold_refuse(client, request->id, r, &failure);
	} else {
		control_holds_answer(client, request->id);
	}
}

/* Those of all machines that may be seen: a person who wonders what keeps something does not know whose it is. */
void control_on_hold_list(struct control_client *client, const Control__Request *request)
{
	control_holds_answer(client, request->id);
}
