#pragma once
/*
 * Handlers of requests that ask what RS knows; see osd/abi/rs.def. Records go into the caller's
 * grant, as many as it has room for.
 */
#include "osd/servers/rs/base/handler.h"

handler status_services, status_resources, status_result, status_events, status_envelope;
