/*
 * Requests that change something and need no order: statements, subscriptions, metrics. Staging
 * is in stage_request.c, orders are in order.c. Statements need none because they are signed
 * themselves: trust.c decides. An envelope is copied before it is looked at, so the caller cannot
 * change what was verified.
 *
 * Metrics are believed as they come: they are the caller's own figures, shown under its name.
 */
#include "osd/servers/rs/base/handler.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/journal.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/trust/trust.h"

/* RS_STATEMENT: floors and generations that the orchestrator knows; without one no order is run. */
err_t rs_on_statement(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	const void *bytes;
	err_t err = handler_envelope(who, request, &bytes);

	return err == E_OK ? trust_statement(&machine.trust, bytes, request->bytes, rs_uptime())
	                   : err;
}

/*
 * RS_TIME: a time statement answers the present nonce, so each is good once; a new nonce is drawn.
 */
err_t rs_on_time(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	const void *bytes;
	err_t err = handler_envelope(who, request, &bytes);

	return err == E_OK ? trust_set_time(&machine.trust, bytes, request->bytes, rs_uptime(),
	                             sys_random() >> 1)
	                   : err;
}

/*
 * RS_SUBSCRIBE: the caller is notified of new events, and fetches them; the reply says which are
 * kept.
 */
err_t rs_on_subscribe(endpoint_t who, struct rs_reply *ret_reply)
{
	ret_reply->a = journal_oldest();
	ret_reply->b = journal_next();
	return journal_subscribe(who);
}

/*
 * RS_ACKNOWLEDGE: events below the number were stored elsewhere and need not be kept. They go for all
 * readers, which is why only services that may control RS can say so.
 */
err_t rs_on_acknowledge(
        endpoint_t who, const struct rs_acknowledge *request, struct rs_reply *ret_reply)
{
	journal_acknowledge(request->sequence);
	ret_reply->a = journal_oldest();
	ret_reply->b = journal_next();
	return E_OK;
}

/*
 * RS_REPORT_METRICS: values of the caller's metrics, in the order of its kit. Those of a process that is no
 * service go nowhere.
 */
void rs_on_report_metrics(endpoint_t who, const struct rs_metrics *metrics)
{
	struct service *service = service_of(who);

	if (service != NULL) {
		memcpy(service->metrics, metrics->values, sizeof(service->metrics));
	}
}
