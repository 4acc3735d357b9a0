#pragma once
/*
 * First instances of services, in the order of their dependencies. A restart after a crash is not a
 * first instance: it takes over an endpoint (recover.h), while a first one gets a new endpoint.
 */
#include "osd/servers/rs/life/service.h"

/*
 * Start every service whose dependencies are up. Call when a service came up or was given up; once
 * all have been settled it does nothing any more.
 */
void start_step(void);
/* Make and start the first instance of a service in STARTING; on an error it is DOWN. */
err_t start_service(struct service *service);
