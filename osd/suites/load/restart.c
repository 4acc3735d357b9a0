/* Whether DS was started afresh: RS counts. A wrong answer is an error only if it was not. */
#include "osd/suites/load/priv.h"

#include <string.h>

#include "osd/lib/request/rs.h"
#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/sys.h"

#define SERVICES_MAX 32u

static struct rs_service restart_services[SERVICES_MAX];
static uint32_t restart_grant;
static uint32_t restart_n_known;

/* DS's restarts by RS's count; what is known when RS does not answer. */
static uint32_t restart_count(void)
{
	struct rs_request request = {.bytes = sizeof(restart_services)};
	struct rs_reply reply;

	if (restart_grant == 0) {
		restart_grant = grant_make(sef_start()->supervisor, restart_services,
		        sizeof(restart_services), GRANT_WRITE);
	}
	request.grant = restart_grant;
	reply = rs_status(sef_start()->supervisor, request);
	if (reply.err != E_OK) {
		return restart_n_known;
	}
	for (uint64_t i = 0; i < reply.count && i < SERVICES_MAX; i++) {
		if (strncmp(restart_services[i].name, "ds", SERVICE_NAME_LEN) == 0) {
			return restart_services[i].n_restarts;
		}
	}
	return restart_n_known;
}

bool restart_was_seen(void)
{
	uint32_t n = restart_count();
	bool is_new = n != restart_n_known;

	restart_n_known = n;
	return is_new;
}
