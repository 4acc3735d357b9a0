#pragma once
/* Inside control: connections, and the way of a request to its handler. */
#include "orchestrator/control/client/client.h"

/* clients.c: who is connected, for how long, and who goes when there is no room */
void control_admit(struct control *control, int fd);
struct control_client *control_client_free(struct control_client *client);
/* Ends the connection that can be missed most; false: every one waits for an answer. */
bool control_make_room(struct control *control);
/* Looks at the roles of everybody again. */
void control_clients_reloaded(struct control *control);

/* request.c: answers, or hands the request to its handler, at once or when its machine is there */
void control_on_request(struct control_client *client, const Control__Request *request);
