import type { AdminDeps } from "./admin-deps.ts";
import type { AdminRoute } from "./admin-route.ts";
import { litellmKeyRoutes } from "./litellm/litellm-key-routes.ts";
import { litellmOwnerRoutes } from "./litellm/litellm-owner-routes.ts";
import { litellmReportRoutes } from "./litellm/litellm-report-routes.ts";
import { oidcRoutes } from "./oidc/oidc-routes.ts";
import { PasswordGate } from "./password-gate.ts";
import { auditRoutes } from "./routes/audit-routes.ts";
import { budgetRoutes } from "./routes/budget-routes.ts";
import { configRoutes } from "./routes/config-routes.ts";
import { credentialRoutes } from "./routes/credential-routes.ts";
import { drainRoutes } from "./routes/drain-routes.ts";
import { experimentRoutes } from "./routes/experiment-routes.ts";
import { keyRoutes } from "./routes/key-routes.ts";
import { ledgerRoutes } from "./routes/ledger-routes.ts";
import { limitRoutes } from "./routes/limit-routes.ts";
import { sessionRoutes } from "./routes/session-routes.ts";
import { statusRoutes } from "./routes/status-routes.ts";
import { teamRoutes } from "./routes/team-routes.ts";
import { tokenRoutes } from "./routes/token-routes.ts";
import { usageRoutes } from "./routes/usage-routes.ts";
import { userRoutes } from "./routes/user-routes.ts";

/** Every route of the admin API. */
export function adminRoutes(deps: AdminDeps): readonly AdminRoute[] {
  const gate = new PasswordGate(deps.passwords);
  return [
    ...sessionRoutes(deps, gate),
    ...oidcRoutes(deps),
    ...keyRoutes(deps),
    ...teamRoutes(deps),
    ...userRoutes(deps, gate),
    ...tokenRoutes(deps),
    ...budgetRoutes(deps),
    ...limitRoutes(deps),
    ...usageRoutes(deps),
    ...experimentRoutes(deps),
    ...ledgerRoutes(deps),
    ...statusRoutes(deps),
    ...drainRoutes(deps),
    ...configRoutes(deps),
    ...credentialRoutes(deps),
    ...auditRoutes(deps),
    ...litellmKeyRoutes(deps),
    ...litellmOwnerRoutes(deps),
    ...litellmReportRoutes(deps),
  ];
}
