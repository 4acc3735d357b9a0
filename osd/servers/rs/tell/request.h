#pragma once
/*
 * Handlers of requests that change something and need no order; see osd/abi/rs.def. Who may send
 * them is decided in table.c.
 */
#include "osd/servers/rs/base/handler.h"

handler request_subscribe, request_acknowledge, request_metrics, request_statement, request_time;
