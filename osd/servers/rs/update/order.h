#pragma once
/* Handlers of orders, and of the two requests that may begin or end a transaction without one. */
#include "osd/servers/rs/base/handler.h"

handler order_request, order_prepare_check, order_cancel;
