/*
 * What RS answers: one row a request. A request from a process without a right to send to RS never
 * gets here. Signatures cost RS more than everything else it is asked, and anybody on the channel
 * can send some, so checking them has a share of the machine's time; what is above is sent back
 * before it is looked at.
 *
 * The checks that hold for a whole request come first and in here (may the caller, is it too much);
 * handlers check what is in it. They fill the reply and return its error.
 */
#include "osd/servers/rs/priv.h"

#include "osd/lib/sys/share.h"
#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/handler.h"
#include "osd/servers/rs/update/hook.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/stage/stage.h"
#include "osd/servers/rs/stage/stage_request.h"
#include "osd/servers/rs/update/update.h"

/* An update with its confirm needs ten checks, of less than a ms each under TCG. */
static const struct share_limit table_limit = {.parts = 8, .burst = 250 * NSEC_MSEC};
static struct share table_share;

/* Whose kit has the right, not whose endpoint is known: rights are in what was signed. */
static err_t table_may_control(endpoint_t who)
{
	return service_may_control(who) ? E_OK : E_PERM;
}

/* E_RATE: ret_reply->a says after how many ms there is time again. */
static err_t table_may_sign(endpoint_t who, struct rs_reply *ret_reply, nsec_t *ret_begun)
{
	nsec_t now = sys_clock_read(), wait = share_wait(&table_share, &table_limit, now);

	if (!service_may_control(who)) {
		return E_PERM;
	}
	if (wait > 0) {
		ret_reply->a = wait / NSEC_MSEC + 1;
		return E_RATE;
	}
	*ret_begun = now;
	return E_OK;
}

/* Rights of the rows: ANY; CONTROL, a kit with KIT_CONTROL; SIGNED, the same for what carries signatures. */
#define MAY_CONTROL(who, ret_reply) table_may_control(who)
#define MAY_SIGNED(who, ret_reply) table_may_sign((who), (ret_reply), ret_begun)

/* Turn *msg into its reply. False: its row is one that needs none. */
static bool table_serve(struct message *msg, nsec_t *ret_begun)
{
	struct rs_reply reply = {0};

	switch (msg->type) {
#define REQUEST SERVE_CASE
#include "osd/abi/rs.def"
#undef REQUEST
	}
	reply.err = hook_request(msg, &reply);
	SERVE_REPLY(msg, rs_reply, reply);
	return true;
}

void table_dispatch(const struct message *request)
{
	struct message msg = *request;
	nsec_t begun = 0;

	if (update_is_holding(request->source)) {
		/* sent without waiting, before it was prepared */
		msg = (struct message){.type = MSG_REPLY, .w = {(uint64_t)E_AGAIN}};
	} else if (!table_serve(&msg, &begun)) {
		msg = (struct message){.type = MSG_REPLY};
	}
	if (begun != 0) {
		share_charge(&table_share, &table_limit, begun, sys_clock_read());
	}
	/* Who does not wait for a reply does not get one. */
	(void)sys_reply(request->source, &msg);
}
