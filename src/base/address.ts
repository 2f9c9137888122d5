/** Where a replica listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}
