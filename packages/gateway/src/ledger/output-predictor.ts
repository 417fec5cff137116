import type { ChatRequest } from "../core/chat.ts";
import type { Features } from "../core/decision.ts";
import type { DeploymentId } from "../core/deployment.ts";

export class OutputPredictor {
  predict(_target: DeploymentId, _request: ChatRequest, features: Features): number {
    return features.maxTokens;
  }
  observe(_target: DeploymentId, _request: ChatRequest, _features: Features, _outputTokens: number): void {}
}
