// What telecine says about its events: read from asyncapi.json and schemas/, and from nothing else.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

/** A message that is not what its header says; `message` names what is wrong, never the content. */
export class Unreadable extends Error {}

/** The part of the contract in `folder` that concerns the events called `names`. */
export class Contract {
  #document;
  #validators;

  constructor(folder, names) {
    this.#document = readJson(join(folder, "asyncapi.json"));
    const ajv = new Ajv2020();
    addFormats(ajv);
    this.#validators = new Map(
      names.map((name) => [name, ajv.compile(readJson(join(folder, this.#message(name)["x-schema"])))]),
    );
    const channels = names.map((name) => this.#channel(name)["x-jetstream"]);
    this.filters = channels.map((channel) => channel.filterSubject);
    [this.stream] = channels.map((channel) => channel.stream);
    if (channels.some((channel) => channel.stream !== this.stream)) {
      throw new Error("a durable consumer reads one stream: take events of one stream");
    }
  }

  /** The event in a message: its name, its attributes and its body. Throws Unreadable. */
  read(headers, body) {
    const attribute = (name) => {
      const value = headers?.get(name);
      if (!value) throw new Unreadable(`header ${name} is missing`);
      return decodeURIComponent(value);
    };
    const type = attribute("ce-type");
    const valid = this.#validators.get(type);
    if (!valid) throw new Unreadable(`${type} is not known here`);
    const event = parse(body, type);
    if (!valid(event)) throw new Unreadable(`${type}: ${places(valid.errors)} not as the schema says`);
    return { type, id: attribute("ce-id"), time: attribute("ce-time"), body: event };
  }

  #message(name) {
    return this.#found(this.#document.components.messages[name], name);
  }

  #channel(name) {
    const operation = this.#found(this.#document.operations[`receive.${name}`], name);
    return operation.channel.$ref
      .replace(/^#\//, "")
      .split("/")
      .reduce((inside, step) => inside[step], this.#document);
  }

  #found(part, name) {
    if (!part) throw new Error(`the AsyncAPI document has no event called ${name}`);
    return part;
  }
}

function parse(body, type) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Unreadable(`${type}: the body is not JSON`);
  }
}

function places(errors) {
  return errors.map((error) => error.instancePath || error.params.missingProperty || "body").join(", ");
}

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf-8"));
}
